"""An audit of a database: clients commit transactions and write down, outside of the database, which ones
it has acknowledged; afterwards every one of those must be there.

    transactions.py make        -- SQL-CLIENT...   makes the tables
    transactions.py write ACKS  -- SQL-CLIENT...   4 clients commit until they fail or ACKS.end is there; writes
                                                   a line per acknowledged transaction
    transactions.py check ACKS  -- SQL-CLIENT...   compares; prints: <acknowledged> <present>

SQL-CLIENT is psql or mariadb with its options: it reads statements and prints bare rows.
"""

import os
import re
import subprocess
import sys
import threading

CLIENTS = 4
MAKE = """
CREATE TABLE audit(client INT, number INT, content VARCHAR(3000), PRIMARY KEY(client, number));
CREATE TABLE total(client INT PRIMARY KEY, number INT);
"""
# Both tables or neither; the row that is printed last says that the commit is acknowledged.
COMMIT = (
    "BEGIN; INSERT INTO audit VALUES({c}, {n}, '{text}'); "
    "UPDATE total SET number = {n} WHERE client = {c}; COMMIT; SELECT 'acknowledged {c} {n}';\n"
)


def text(client, number):
    return "abcdefgh"[client] * (number * 37 % 3000)


def ask(command, statements):
    done = subprocess.run(command, input=statements, text=True, stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"the database has refused: {statements.strip()[:100]}")
    return [re.findall(r"[^\s,|]+", line) for line in done.stdout.splitlines()]


def make(command):
    rows = "".join(f"INSERT INTO total VALUES({c}, 0);\n" for c in range(CLIENTS))
    ask(command, MAKE + rows)


def write(acks, command):
    out = open(acks, "a", buffering=1)
    done = dict(map(int, row) for row in ask(command, "SELECT client, number FROM total;\n"))

    def client(c):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, text=True, **streams) as sql:
            running.append(sql)
            try:
                for n in range(done[c] + 1, 1_000_000):
                    sql.stdin.write(COMMIT.format(c=c, n=n, text=text(c, n)))
                    sql.stdin.flush()
                    # Nothing, once the server or this process is gone.
                    if sql.stdout.readline().split() != ["acknowledged", str(c), str(n)]:
                        break
                    out.write(f"{c} {n}\n")
            except BrokenPipeError:
                pass
            sql.kill()

    running = []
    threads = [threading.Thread(target=client, args=(c,)) for c in range(CLIENTS)]
    for thread in threads:
        thread.start()
    # A server without power says nothing, not even that it is gone.
    while any(thread.is_alive() for thread in threads):
        if os.path.exists(acks + ".end"):
            for sql in running:
                sql.kill()
        threads[0].join(0.05)


def check(acks, command):
    rows = ask(command, "SELECT client, number, content FROM audit ORDER BY client, number;\n")
    there = {(int(c), int(n)): content for c, n, *content in rows}
    totals = {int(c): int(n) for c, n in ask(command, "SELECT client, number FROM total;\n")}
    with open(acks) as lines:
        acknowledged = [tuple(map(int, line.split())) for line in lines if line.endswith("\n")]
    faults = [f"lost: transaction {n} of client {c}" for c, n in acknowledged if (c, n) not in there]
    for (c, n), content in there.items():
        if "".join(content) != text(c, n):
            faults.append(f"damaged: transaction {n} of client {c}")
    for c in range(CLIENTS):
        if {n for d, n in there if d == c} != set(range(1, totals.get(c, 0) + 1)):
            faults.append(f"torn: client {c} counts {totals.get(c)} transactions")
    if faults:
        sys.exit("\n".join(faults[:20]))
    print(len(acknowledged), len(there))


split = sys.argv.index("--")
arguments, command = sys.argv[1:split], sys.argv[split + 1 :]
{"make": make, "write": write, "check": check}[arguments[0]](*arguments[1:], command)
