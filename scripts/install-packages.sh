#!/usr/bin/env bash
# Installs what the sandbox, the tests and the demo use, where it is missing.
set -euo pipefail

# command:package
needed=(ip:iproute2 ping:iputils-ping python3:python3 zip:zip pkill:procps pidof:sysvinit-utils)

missing=()
for entry in "${needed[@]}"; do
    command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
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
