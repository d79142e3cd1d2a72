#!/usr/bin/env bash
# Installs what the sandbox, the tests and the demo use, where it is missing; with --tests also what
# only the tests use.
set -euo pipefail

# command:package
needed=(ip:iproute2 ping:iputils-ping python3:python3 zip:zip pkill:procps pidof:sysvinit-utils mkfs.ext4:e2fsprogs)
# The tests run databases in replicated directories, shift the clocks of single programs, set ACLs, put a load
# balancer before a module, and log in by a directory and by an identity provider.
if [ "${1:-}" = --tests ]; then
    needed+=(psql:postgresql mariadb:mariadb-client-core mariadbd:mariadb-server-core faketime:faketime setfacl:acl
        haproxy:haproxy chromium:chromium curl:curl openssl:openssl slapd:slapd node:nodejs npm:npm)
fi

missing=()
for entry in "${needed[@]}"; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
done
if [ "${1:-}" = --tests ]; then
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
fi
# Test suites of file systems, which the cluster tests run on a replicated directory.
suites=(pjdfstest fsx)
for suite in "${suites[@]}"; do
    if [ "${1:-}" = --tests ] && ! [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/$suite" ]; then
        cargo install --locked --quiet "$suite"
    fi
done

# What the tests take from npm, once node is there.
from_npm() {
    [ "${1:-}" = --tests ] || return 0
    local dir
    dir=$(dirname "$0")/../tests/web/oidc
    [ -d "$dir/node_modules" ] || npm ci --prefix "$dir" --silent
}

# What the tests take from Python's packages: exactly what the file names, each with its version.
from_python() {
    [ "${1:-}" = --tests ] || return 0
    local dir
    dir=$(cd "$(dirname "$0")/../tests/web/schemathesis" && pwd)
    cmp -s "$dir/requirements.txt" "$dir/.venv/requirements.txt" && return 0
    rm -rf "$dir/.venv"
    python3 -m venv "$dir/.venv"
    "$dir/.venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$dir/requirements.txt"
    cp "$dir/requirements.txt" "$dir/.venv/requirements.txt"
}

if [ ${#missing[@]} -eq 0 ]; then
    from_npm "$@"
    from_python "$@"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "missing here: ${missing[*]} (names of Debian packages); install them with the tool of this system" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# The tests and the demo start databases themselves: none is to be started by its package.
policy=/usr/sbin/policy-rc.d
if ! [ -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
from_npm "$@"
from_python "$@"
