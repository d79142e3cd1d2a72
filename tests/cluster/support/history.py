"""An application whose acknowledged writes are recorded outside, and the look at what is left of them.

write DIR HISTORY PAUSE: modifies keys of DIR for ever; while PAUSE exists it rests, and says so.
read DIR: prints each key with the number of the write that it holds; 0: none.
A line of the history is `kind number key`: I begins, A acknowledged, F failed, P rests.
"""
import glob, os, random, shutil, sys, time

SLOTS, SLOT, FILES, DIRS = 64, 4096, 40, 6


def content(number, length):
    line = b"%020d\n" % number
    return (line * (length // len(line) + 1))[:length]


def put(path, data, flags, offset=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o640)
    try:
        assert os.pwrite(fd, data, offset) == len(data), "a short write"
        if random.random() < 0.2:
            os.fsync(fd)
    finally:
        os.close(fd)


def change(top, key, number):
    path = f"{top}/{key}"
    if key[0] == "s":
        at = int(key[1:])
        put(f"{top}/slots{at % 2}", content(number, SLOT), random.choice([0, os.O_SYNC]), at // 2 * SLOT)
    elif key[0] == "f":
        new = f"{top}/tmp.{number}"
        put(new, content(number, random.choice([21, 5000, 70000])), os.O_EXCL)
        os.rename(new, path)
    elif key[0] == "d":
        new = f"{top}/tmp.{number}"
        os.mkdir(new)
        put(f"{new}/value", content(number, 300), 0)
        if os.path.exists(path):
            os.rename(path, f"{top}/old.{key}.{number}")
        os.rename(new, path)
        for old in replaced(top, key):
            shutil.rmtree(old, ignore_errors=True)


def replaced(top, key):
    """What a directory replaced and did not remove yet, the oldest first."""
    return sorted(glob.glob(f"{top}/old.{key}.*"), key=lambda old: int(old.rsplit(".", 1)[1]))


def remove(top, key):
    try:
        os.unlink(f"{top}/{key}")
    except FileNotFoundError:
        pass


def write(top, history, pause):
    log = os.open(history, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    say = lambda kind, number, key: os.write(log, f"{kind} {number} {key}\n".encode())
    keys = [f"s{n}" for n in range(SLOTS)] + [f"f{n}" for n in range(FILES)] + [f"d{n}" for n in range(DIRS)]
    me, rests = time.time_ns(), False
    while True:
        if os.path.exists(pause):
            rests or say("P", me, "-")
            rests = True
            time.sleep(0.02)
            continue
        rests = False
        key, number = random.choice(keys), time.time_ns()
        gone = key[0] == "f" and random.random() < 0.2
        say("I", 0 if gone else number, key)
        try:
            remove(top, key) if gone else change(top, key, number)
            say("A", 0 if gone else number, key)
        except OSError as error:
            say("F", error.errno, key)
            time.sleep(0.05)
        time.sleep(0.002)


def value(data, where):
    number = int(data[:20] or b"0") if data.strip(b"\0") else 0
    assert number == 0 or data == content(number, len(data)), f"{where}: a torn write"
    return number


def load(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def read(top):
    for n in range(SLOTS):
        data = load(f"{top}/slots{n % 2}")[n // 2 * SLOT:][:SLOT]
        print(f"s{n}", value(data, f"slot {n}"))
    for n in range(FILES):
        print(f"f{n}", value(load(f"{top}/f{n}"), f"file {n}"))
    for n in range(DIRS):
        # Who dies between the two renames of a replacement leaves the old one beside its place.
        there = os.path.exists(f"{top}/d{n}")
        where = f"{top}/d{n}" if there else (replaced(top, f"d{n}") or [f"{top}/d{n}"])[-1]
        print(f"d{n}", value(load(f"{where}/value"), where))


{"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
