#!/usr/bin/env bash
# Installs what the sandbox, the tests and the demo use, where it is missing; with --tests also what
# only the tests use.
set -euo pipefail

# command:package
needed=(ip:iproute2 ping:iputils-ping python3:python3 zip:zip pkill:procps pidof:sysvinit-utils)

missing=()
for entry in "${needed[@]}"; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
done
if [ "${1:-}" = --tests ]; then
    for entry in setfacl:acl mkfs.ext4:e2fsprogs; do
        command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
    done
fi
# Test suites of file systems, which the cluster tests run on a replicated directory.
suites=(pjdfstest fsx)
for suite in "${suites[@]}"; do
    if [ "${1:-}" = --tests ] && ! [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/$suite" ]; then
        cargo install --locked --quiet "$suite"
    fi
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "missing here: ${missing[*]} (names of Debian packages); install them with the tool of this system" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
