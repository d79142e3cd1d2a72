#!/usr/bin/env bash
# A failover before your eyes: two nodes and a client on this machine, a web application behind a
# virtual address, and a power failure of the server that runs it. May be repeated at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
    echo "the demo makes network namespaces: run it as root" >&2
    exit 1
fi
scripts/install-packages.sh
cargo build --locked --bins

bin=${CARGO_TARGET_DIR:-target}/debug/safekit
sandbox() { "$bin" sandbox "$1" --name demo "${@:2}"; }
# A command on a machine; nothing in this demo takes a minute.
on() { timeout 60 "$bin" sandbox exec --name demo "$1" -- "${@:2}"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
now() { date +%s.%N; }

work=$(mktemp -d)
client=
up=
finish() {
    local code=$?
    if [ -n "$client" ]; then kill "$client" 2>/dev/null || true; fi
    if [ "$code" != 0 ] && [ -n "$up" ]; then
        say "The demo has failed. What the nodes say:"
        for node in node1 node2; do
            on "$node" safekit log -A -s 40 -m mirror || true
            tail -n 20 "/var/lib/safekit-sandbox/demo/$node/safeadmin.out" || true
        done
        echo "clean up with: $bin sandbox down --name demo"
    fi
    rm -rf "$work"
}
trap finish EXIT

say "A cluster: node1, node2, a client, two networks"
sandbox down
sandbox up
up=yes

say "The module \"mirror\": a web application on 10.77.1.100, on whichever node is primary"
(cd scripts/demo/module && python3 -m zipfile -c "$work/mirror.safe" conf bin)
for node in node1 node2; do
    timeout 20 bash -c 'until "$0" sandbox exec --name demo "$1" -- safekit state >/dev/null 2>&1; do :; done' "$bin" "$node"
    on "$node" safekit module install -m mirror -M 1 -r "$work/mirror.safe"
    on "$node" safekit config -m mirror
done
on node1 safekit prim -m mirror
on node1 safekit waitstate ALONE -m mirror
on node2 safekit second -m mirror
on node2 safekit waitstate SECOND -m mirror
on node1 safekit waitstate PRIM -m mirror
for node in node1 node2; do
    on "$node" safekit state -m mirror
done

say "A client asks every 20 ms"
begin=$(now)
"$bin" sandbox exec --name demo client -- python3 scripts/demo/client.py ask "$work/seen" &
client=$!
until [ -s "$work/seen" ]; do kill -0 "$client"; done
python3 scripts/demo/client.py wait "$work/seen" "$begin"
echo "it is answered by $(tail -n 1 "$work/seen" | cut -d' ' -f2)"

say "Power failure of node1, the primary"
off=$(now)
sandbox poweroff node1
on node2 safekit waitstate ALONE -m mirror
python3 scripts/demo/client.py wait "$work/seen" "$off"
on node2 safekit log -A -m mirror | python3 scripts/demo/client.py show "$work/seen" "$off"

say "node1 gets its power back: it becomes the secondary, nothing is interrupted"
sandbox poweron node1
timeout 20 bash -c 'until "$0" sandbox exec --name demo node1 -- safekit state >/dev/null 2>&1; do :; done' "$bin"
on node1 safekit waitstate SECOND -m mirror
on node2 safekit waitstate PRIM -m mirror
for node in node1 node2; do
    on "$node" safekit state -m mirror
done

say "Back to node1, by a swap"
swap=$(now)
on node2 safekit swap -m mirror
on node1 safekit waitstate PRIM -m mirror
on node2 safekit waitstate SECOND -m mirror
python3 scripts/demo/client.py wait "$work/seen" "$swap"
on node1 safekit log -A -m mirror | python3 scripts/demo/client.py show "$work/seen" "$swap"

say "It stays up. Look around:"
cat <<END
  $bin sandbox status --name demo
  $bin sandbox exec --name demo node1 -- safekit state -v -m mirror
  $bin sandbox exec --name demo node2 -- safekit logview -m mirror
  $bin sandbox exec --name demo client -- curl -s http://10.77.1.100:8080
  $bin sandbox cut node2 --name demo       (and heal: a split brain and its end)
  $bin sandbox exec --name demo node1 -- bash
Clean up:
  $bin sandbox down --name demo
END
