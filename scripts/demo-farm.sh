#!/usr/bin/env bash
# A farm before your eyes: three nodes and two clients on this machine, one virtual address, and who serves
# what while nodes leave, return and lose their power. Ends with a verdict. May be repeated at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
    echo "the demo makes network namespaces: run it as root" >&2
    exit 1
fi
scripts/install-packages.sh
cargo build --locked --bins

bin=$PWD/${CARGO_TARGET_DIR:-target}/debug/safekit
case ${CARGO_TARGET_DIR:-} in /*) bin=$CARGO_TARGET_DIR/debug/safekit ;; esac
nodes=(node1 node2 node3)
sandbox() { "$bin" sandbox "$1" --name demo-farm "${@:2}"; }
# A command on a machine; nothing in this demo takes a minute.
on() { timeout 60 "$bin" sandbox exec --name demo-farm "$1" -- "${@:2}"; }
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

work=$(mktemp -d)
finish() {
    local code=$?
    if [ "$code" != 0 ]; then
        say "The demo has failed. What the nodes say:"
        for node in "${nodes[@]}"; do
            on "$node" safekit log -A -s 40 -m farm || true
            tail -n 20 "/var/lib/safekit-sandbox/demo-farm/$node/safeadmin.out" || true
        done
        echo "clean up with: $bin sandbox down --name demo-farm"
    fi
    rm -rf "$work"
}
trap finish EXIT

say "A cluster: three nodes, two clients, two networks"
sandbox down
sandbox up --nodes 3 --clients 2

say "The module \"farm\": an application on all nodes, at 10.77.1.100"
(cd scripts/demo/farm && zip -qr "$work/farm.safe" conf bin)
for node in "${nodes[@]}"; do
    timeout 20 bash -c 'until "$0" sandbox exec --name demo-farm "$1" -- safekit state >/dev/null 2>&1; do :; done' "$bin" "$node"
    on "$node" safekit module install -m farm -M 1 -r "$work/farm.safe"
    on "$node" safekit config -m farm
done
for node in "${nodes[@]}"; do on "$node" safekit start -m farm; done
for node in "${nodes[@]}"; do on "$node" safekit waitstate UP -m farm; done

say "Two clients, each with ten lasting connections and twenty new ones a second"
python3 scripts/demo/farm/show.py "$bin" demo-farm

say "What node1 says"
on node1 safekit log -s 12 -m farm
on node1 safekit -r vip_if_ctrl -l
on node1 safekit farm owner -m farm 10.77.1.254:50000

say "It stays up. Look around:"
cat <<END
  $bin sandbox status --name demo-farm
  $bin sandbox exec --name demo-farm node1 -- safekit state -v -m farm
  $bin sandbox exec --name demo-farm client -- bash -c 'echo who | nc 10.77.1.100 8080'
  $bin sandbox cut node3 --name demo-farm       (and heal: each side serves alone, then they share again)
Clean up:
  $bin sandbox down --name demo-farm
END
