"""The live view of the farm demo: who serves what while nodes leave and return.

    show.py SAFEKIT SANDBOX

On a terminal the view stays in its place; elsewhere it is a line a second. Exit code 0 if every client was
answered as it should be.
"""

import json
import subprocess
import sys
import threading
import time
from collections import Counter, deque

SAFEKIT, SANDBOX = sys.argv[1:3]
NODES = ["node1", "node2", "node3"]
CLIENTS = ["client", "client2"]
ADDRESS, PORT, LASTING = "10.77.1.100", "8080", 10
SPAN = 1.0
LIVE = sys.stdout.isatty()
WIDTH = 40


def sandbox(*words):
    return [SAFEKIT, "sandbox", words[0], "--name", SANDBOX, *words[1:]]


def inside(machine, *words):
    return sandbox("exec", machine, "--", *words)


class World:
    """What is known now; written by threads, read by the view."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = deque()
        self.errors = []
        self.nodes = {node: ("?", "-") for node in NODES}
        self.step = "the clients begin"
        self.over = False

    def hear(self, client):
        """Reads what a client says, until it ends."""
        command = inside(client, "python3", "scripts/demo/farm/client.py", ADDRESS, PORT, str(LASTING))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            kind, *said = line.split()
            now = time.monotonic()
            with self.lock:
                if said[0] == "!":
                    self.errors.append((self.step, kind, " ".join(said[1:])))
                else:
                    self.answers.append((now, client, kind, said[0]))
                while self.answers and self.answers[0][0] < now - SPAN:
                    self.answers.popleft()
            if self.over:
                break
        process.kill()

    def watch(self, node):
        """The state of a node and its share of the clients."""
        while not self.over:
            state = ("off", "-")
            command = inside(node, "safekit", "state", "-v", "-m", "farm", "--json")
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                module = json.loads(done.stdout)[0]
                shares = [r["value"] for r in module["resources"] if r["resource"].startswith("lbgroup.")]
                up = module["role"].upper() == "UP"
                state = (f"{module['role'].upper()} {module['readiness']}", shares[0] if up and shares else "-")
            with self.lock:
                self.nodes[node] = state
            time.sleep(0.5)

    def wait(self, what, true_now, patience=60):
        end = time.monotonic() + patience
        while not true_now():
            if time.monotonic() > end:
                raise SystemExit(f"not within {patience} s: {what}")
            time.sleep(0.1)

    def served(self):
        with self.lock:
            return Counter(name for _, _, _, name in self.answers)

    def wait_served_by(self, names):
        """Until each of these answers and nobody else does."""
        self.wait(f"clients served by {names}", lambda: set(self.served()) == set(names))

    def act(self, text, command, names):
        with self.lock:
            self.step = text
        if not LIVE:
            print(f"\n{text}", flush=True)
        if command:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.wait_served_by(names)
        # Time to look.
        time.sleep(4)

    def draw(self, again):
        with self.lock:
            answers, nodes, errors, step = list(self.answers), dict(self.nodes), list(self.errors), self.step
        if not LIVE:
            counts = Counter(name for _, _, _, name in answers)
            served = "  ".join(f"{node} {counts[node]:4}/s ({nodes[node][1]})" for node in NODES)
            print(f"  {served}  errors {len(errors)}", flush=True)
            return
        lines = [f"\033[1m{step}\033[0m", ""]
        total = max(1, len(answers))
        for node in NODES:
            mine = [a for a in answers if a[3] == node]
            bar = "█" * round(WIDTH * len(mine) / total)
            state, share = nodes[node]
            lines.append(f"  {node}  {state:15} {share:>5}  {bar:{WIDTH}} {len(mine):4}/s")
        lines.append("")
        for client in CLIENTS:
            for kind in ("lasting", "new"):
                counts = Counter(name for _, c, k, name in answers if (c, k) == (client, kind))
                served = "  ".join(f"{node} {counts[node]:4}/s" for node in NODES)
                lines.append(f"  {client:8} {kind:8} {served}")
        lines += ["", f"  connections that broke or were refused so far: {len(errors)}"]
        up = f"\033[{len(lines)}A" if again else ""
        print(up + "\n".join(f"\033[K{line}" for line in lines), flush=True)

    def story(self):
        one, two, three = NODES
        self.act("three nodes share all clients", None, NODES)
        self.act("safekit stop on node3: its clients go to the others, politely", inside(three, "safekit", "stop", "-m", "farm"), [one, two])
        self.act("safekit start on node3: it takes a third, established connections stay", inside(three, "safekit", "start", "-m", "farm"), NODES)
        self.act("kill -9 of safeadmin on node1: nothing happens", inside(one, "pkill", "-9", "-x", "safeadmin"), NODES)
        self.act("power failure of node2: the others take over", sandbox("poweroff", two), [one, three])
        self.act("node2 has its power back", sandbox("poweron", two), NODES)

    def verdict(self):
        """The power failure may break what node2 served, and nothing else may break."""
        failure = [e for e in self.errors if e[0].startswith("power failure")]
        others = [e for e in self.errors if not e[0].startswith("power failure")]
        lost = [e for e in failure if e[1] == "lasting"]
        refused = [e for e in failure if e[1] != "lasting"]
        most = LASTING * len(CLIENTS)
        print(f"\nBroken by the power failure: {len(lost)} of {most} lasting connections, and {len(refused)} new ones.")
        print(f"Broken or refused in all other steps: {len(others)}.")
        for step, kind, what in others[:10]:
            print(f"  {kind}, {what}: {step}")
        return not others and len(lost) < most


def main():
    world = World()
    threads = [threading.Thread(target=world.hear, args=(client,), daemon=True) for client in CLIENTS]
    threads += [threading.Thread(target=world.watch, args=(node,), daemon=True) for node in NODES]
    failed = []

    def tell():
        try:
            world.story()
        except (SystemExit, subprocess.CalledProcessError) as error:
            failed.append(str(error))
        world.over = True

    story = threading.Thread(target=tell, daemon=True)
    for thread in [*threads, story]:
        thread.start()
    again = False
    while story.is_alive():
        world.draw(again)
        again = True
        story.join(0.25 if LIVE else 1)
    for thread in threads:
        thread.join(5)
    good = world.verdict() and not failed
    for error in failed:
        print(f"failed: {error}")
    print("\033[1mAll as it should be.\033[0m" if good else "\033[1mNot as it should be.\033[0m")
    return 0 if good else 1


sys.exit(main())
