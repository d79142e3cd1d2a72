"""The client of the demo: asks the virtual address every 20 ms and writes down who answers.

    client.py ask FILE            until it is killed; a line per request: <seconds> <answer, or ->
    client.py wait FILE SINCE     until it is answered again after SINCE, or was not interrupted for 2 s
    client.py show FILE SINCE     what it saw and what the module log on standard input says, in order of time
    client.py log - SINCE         only the log
"""

import datetime
import re
import socket
import sys
import time

ADDRESS = ("10.77.1.100", 8080)
PERIOD = 0.02
PATIENCE = 0.1
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
TELLING = re.compile(r"heartbeat|Local state|Remote state|^Action|Virtual IP|Script (start|stop)_prim|Begin of Swap|^Updating|^Copied|^Reintegration")


def answer():
    try:
        with socket.create_connection(ADDRESS, PATIENCE) as connection:
            connection.sendall(REQUEST)
            data = b""
            while part := connection.recv(4096):
                data += part
        return data.split(b"\r\n\r\n", 1)[1].decode().strip() or "-"
    except (OSError, IndexError):
        return "-"


def ask(path):
    with open(path, "w", buffering=1) as out:
        while True:
            begin = time.time()
            said = answer()
            # An answer counts when it came, a failure when it was asked for.
            out.write(f"{begin if said == '-' else time.time():.3f} {said}\n")
            time.sleep(max(0, PERIOD - (time.time() - begin)))


def read(path):
    with open(path) as lines:
        words = (line.split() for line in lines if line.endswith("\n"))
        return [(float(at), said) for at, said in words]


def interruption(path, since):
    """Last answer before and first answer after the longest silence that ended after `since`."""
    good = [(at, said) for at, said in read(path) if said != "-"]
    gaps = [(b[0] - a[0], a, b) for a, b in zip(good, good[1:]) if b[0] >= since]
    return max(gaps, default=None)


def wait(path, since):
    end = time.time() + 30
    while time.time() < end:
        seen = [(at, said) for at, said in read(path) if at >= since]
        failed = [at for at, said in seen if said == "-"]
        good = [at for at, said in seen if said != "-"]
        if good and (good[-1] > failed[-1] if failed else good[-1] > since + 2):
            return
        time.sleep(PERIOD)
    sys.exit("the client had no answer within 30 s")


def log(_, since):
    print_events([], since)


def show(path, since):
    events = []
    gap = interruption(path, since)
    if gap:
        length, (last, before), (first, after) = gap
        events += [(last, f"CLIENT  last answer, from {before}"), (first, f"CLIENT  first answer, from {after}")]
    print_events(events, since)
    if gap:
        print(f"  the client was without an answer for {length:.2f} s")


def print_events(events, since):
    for line in sys.stdin:
        parts = [part.strip() for part in line.split("|", 4)]
        if len(parts) == 5 and TELLING.search(parts[4]) and "terminated" not in parts[4]:
            at = datetime.datetime.fromisoformat(parts[1]).timestamp()
            events.append((at, f"{parts[2]:<9} {parts[4].rstrip('|').strip()}"))
    for at, text in sorted(event for event in events if event[0] >= since - 0.5):
        print(f"  {at - since:+8.3f} s  {text}")


what, path, *since = sys.argv[1:]
{"ask": ask, "wait": wait, "show": show, "log": log}[what](path, *map(float, since))
