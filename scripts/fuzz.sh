#!/usr/bin/env bash
# Fuzzes everything that comes from outside, each target for FUZZ_SECONDS (60). Without cargo-fuzz:
# many mutations of the corpora by tests/corpus instead, which any machine can do.
set -euo pipefail
cd "$(dirname "$0")/.."

if cargo fuzz --version >/dev/null 2>&1; then
    # The fuzzer's flags are those of a nightly compiler; a stable one takes them with this variable.
    if ! rustc --version | grep -q nightly; then
        export RUSTC_BOOTSTRAP=1
    fi
    for target in $(cargo fuzz list); do
        # New inputs go to a directory of their own: the corpus holds what somebody has looked at.
        mkdir -p "fuzz/found/$target"
        cargo fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
            -max_total_time="${FUZZ_SECONDS:-60}"
    done
else
    echo "no cargo-fuzz (cargo install cargo-fuzz --locked): mutating the corpora"
    SAFEKIT_MUTATIONS="${SAFEKIT_MUTATIONS:-200000}" cargo test --locked --test corpus
fi
