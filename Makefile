# make demo      a failover before your eyes, in a cluster on this machine (root)
# make check     format, lints
# make test      check, all tests, licenses and advisories (root)
# make nightly   the same with many more cases
# make bench     benchmarks

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

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
	$(MAKE) --no-print-directory deny

bench:
	$(CARGO) bench --locked

deny:
ifeq ($(DENY),yes)
	$(CARGO) deny --locked check
else
	@echo "cargo-deny is not installed: licenses and advisories NOT checked (cargo install cargo-deny --locked)"
endif
