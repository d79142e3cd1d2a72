#!/usr/bin/env bash
# Fuzzes everything that comes from outside, each target for FUZZ_SECONDS (60). Without cargo-fuzz and a
# nightly compiler: many mutations of the corpora by tests/corpus instead, which any machine can do.
set -euo pipefail
cd "$(dirname "$0")/.."

if cargo fuzz --version >/dev/null 2>&1 && rustc +nightly --version >/dev/null 2>&1; then
    for target in $(cargo +nightly fuzz list); do
        # New inputs go to a directory of their own: the corpus holds what somebody has looked at.
        mkdir -p "fuzz/found/$target"
        cargo +nightly fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
            -max_total_time="${FUZZ_SECONDS:-60}"
    done
else
    echo "no cargo-fuzz with a nightly compiler (cargo install cargo-fuzz --locked): mutating the corpora"
    SAFEKIT_MUTATIONS="${SAFEKIT_MUTATIONS:-200000}" cargo test --locked --test corpus
fi
