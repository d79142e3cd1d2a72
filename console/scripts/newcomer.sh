#!/bin/sh
# The path of a newcomer on real nodes: a sandbox of two that have no cluster, then nothing but a browser
# (root; after cargo build and npm run build). KEEP=yes leaves it up.
set -eu
cd "$(dirname "$0")/.."
bin=${SAFEKIT:-../target/debug/safekit}
name=newcomer$$
password=newcomer-1

"$bin" sandbox up --name "$name" --private /data --password "$password" >/dev/null
[ "${KEEP:-no}" = yes ] || trap '"$bin" sandbox down --name "$name"' EXIT
for node in node1 node2; do
    "$bin" sandbox exec --name "$name" "$node" -- mkdir -p /data/replicated
    "$bin" sandbox exec --name "$name" "$node" -- safekit cluster deconfig >/dev/null
done
url=$("$bin" sandbox console --name "$name" node1 | sed -n 's|^console of node1: \(.*[^/]\)/*$|\1|p')
SAFEKIT_URL=$url SAFEKIT_PASSWORD=$password NODES=10.77.1.1,10.77.1.2 VIP=10.77.1.100 DIRECTORY=/data/replicated \
    npx vitest run --config vitest.e2e.config.ts newcomer
