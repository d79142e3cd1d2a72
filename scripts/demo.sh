#!/usr/bin/env bash
# A failover before your eyes: two nodes and a client on this machine, a PostgreSQL whose directory is
# replicated, and a power failure of the server that runs it, in the middle of transactions. Where there is
# no PostgreSQL (or with --short) a web application takes its place. May be repeated at any time. With KEEP=no
# the cluster is taken down in the end.
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

# Returns when safeadmin answers.
answers() {
    timeout 20 bash -c 'until "$0" sandbox exec --name demo "$1" -- safekit state >/dev/null 2>&1; do :; done' "$bin" "$1"
}
# bring_up OPTION...: a new sandbox.
bring_up() {
    sandbox down
    sandbox up "$@"
    up=yes
}
# install_pair MODULE DIR: on both nodes; node1 becomes PRIM, node2 SECOND.
install_pair() {
    module=$1
    (cd "$2" && python3 -m zipfile -c "$work/$module.safe" conf bin)
    for node in node1 node2; do
        answers "$node"
        on "$node" safekit module install -m "$module" -M 1 -r "$work/$module.safe"
        on "$node" safekit config -m "$module"
    done
    on node1 safekit prim -m "$module"
    on node1 safekit waitstate ALONE -m "$module"
    on node2 safekit second -m "$module"
    on node2 safekit waitstate SECOND -m "$module"
    on node1 safekit waitstate PRIM -m "$module"
    states
}
states() {
    for node in node1 node2; do
        on "$node" safekit state -m "$module"
    done
}

work=$(mktemp -d)
client=
up=
module=
finish() {
    local code=$?
    if [ -n "$client" ]; then kill "$client" 2>/dev/null || true; fi
    if [ "$code" != 0 ] && [ -n "$up" ]; then
        say "The demo has failed. What the nodes say:"
        for node in node1 node2; do
            on "$node" safekit log -A -s 40 -m "$module" || true
            tail -n 20 "/var/lib/safekit-sandbox/demo/$node/safeadmin.out" || true
        done
        echo "clean up with: $bin sandbox down --name demo"
    fi
    rm -rf "$work"
}
trap finish EXIT

postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ "${1:-}" = --short ]; then
    . scripts/demo/web.sh
elif [ -z "$postgres" ] || ! command -v psql >/dev/null; then
    say "No PostgreSQL here (apt-get install postgresql): the short demo, with a web application"
    . scripts/demo/web.sh
else
    . scripts/demo/database.sh
fi

if [ "${KEEP:-yes}" = no ]; then
    sandbox down
    exit 0
fi
say "It stays up. Look around:"
cat <<END
  $bin sandbox status --name demo
  $bin sandbox exec --name demo node1 -- safekit state -v -m $module
  $bin sandbox exec --name demo node2 -- safekit logview -m $module
  $bin sandbox ${look[0]}
  $bin sandbox cut node2 --name demo       (and heal: a split brain and its end)
  $bin sandbox exec --name demo node1 -- bash
Clean up:
  $bin sandbox down --name demo
END
say "Its web consoles, for the browser of this machine:"
sandbox console
