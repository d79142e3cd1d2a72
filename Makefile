# make demo      a failover before your eyes, in a cluster on this machine (root)
# make check     format, lints
# make test      check, all tests, licenses and sources of dependencies (root)
# make nightly   the same with many more cases, and advisories (network)
# make bench     benchmarks

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

DENY_CHECKS = bans licenses sources

.PHONY: demo check test nightly bench deny

demo:
	scripts/demo.sh

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings

test: check
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --locked
else
	$(CARGO) test --locked --lib --bins --tests
endif
	$(CARGO) test --locked --doc
	$(MAKE) --no-print-directory deny

nightly: check
ifeq ($(NEXTEST),yes)
	PROPTEST_CASES=20000 $(CARGO) nextest run --locked --profile nightly --run-ignored all
else
	PROPTEST_CASES=20000 $(CARGO) test --locked --lib --bins --tests -- --include-ignored
endif
	$(MAKE) --no-print-directory deny DENY_CHECKS=all

bench:
	$(CARGO) bench --locked

deny:
ifeq ($(DENY),yes)
	$(CARGO) deny --locked check --hide-inclusion-graph $(DENY_CHECKS)
else
	@echo "cargo-deny is not installed: dependencies NOT checked (cargo install cargo-deny --locked)"
endif
