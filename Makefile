# make demo      a failover before your eyes, in a cluster on this machine (root); it stays up, with KEEP=no not
# make demo-farm three nodes share the clients of one address while nodes leave and return (root)
# make console   the web console: installs its packages (npm), checks, tests and builds it into console/dist
# make test-console    every page and role of the console in Chromium, and whole ways through it on real nodes (root)
# make demo-console    pictures of every page of the console into docs/images
# make check     format, lints
# make test      check, all tests, licenses and sources of dependencies (root)
# make nightly   the same with many more cases, and advisories (network)
# make fuzz      fuzzing of what comes from outside, a minute per target
# make bench     benchmarks against their targets and against keepalived (root; BENCH=name for one)
# make bench-farm   what the packet filter of a farm costs, and a power failure, beside HAProxy (root; BENCH=name for one part)
# make bench-membership    what the membership of a farm costs from 2 to 32 nodes, simulated
# make bench-replication   what replication costs, against a plain directory and GlusterFS (root)
# make bench-web     what health checks and consoles cost heartbeats, memory and CPU (root)

CARGO ?= cargo
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)
DENY := $(shell $(CARGO) deny --version >/dev/null 2>&1 && echo yes)

DENY_CHECKS = bans licenses sources
# Deep searches of the model, a million seeds of the simulation, a thousand rounds of random kills,
# a million files, twenty times the requests of the contract of the API.
DEEP = PROPTEST_CASES=20000 SAFEKIT_MODEL_DEEP=1 SAFEKIT_SIM_SEEDS=1000000 SAFEKIT_KILLS=1000 SAFEKIT_FILES=1000000 SAFEKIT_CONTRACT=40

.PHONY: demo demo-farm console test-console demo-console check test nightly fuzz bench bench-farm bench-membership bench-replication bench-web deny

demo:
	scripts/demo.sh

demo-farm:
	scripts/demo-farm.sh

# The packages are those of the lock file; nothing else is run at their installation.
console/node_modules: console/package-lock.json
	cd console && npm ci --ignore-scripts && touch node_modules

console: console/node_modules
	cd console && npm test && npm run build

test-console: console
	test -x target/debug/safewebserver || $(CARGO) build --locked --bins
	cd console && npm run e2e && npm run real

demo-console: console
	cd console && npm run screenshots

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets --locked -- -D warnings

# The console first: the web service serves what is built.
test: check console
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --locked
else
	$(CARGO) test --locked --lib --bins --tests
endif
	$(CARGO) test --locked --doc
	$(MAKE) --no-print-directory test-console
	$(MAKE) --no-print-directory deny

nightly: check
ifeq ($(NEXTEST),yes)
	$(DEEP) $(CARGO) nextest run --locked --profile nightly
else
	$(DEEP) $(CARGO) test --locked --lib --bins --tests
endif
	scripts/fuzz.sh
	$(MAKE) --no-print-directory deny DENY_CHECKS=all

fuzz:
	scripts/fuzz.sh

bench:
	$(CARGO) bench --locked --bench cluster -- $(BENCH)

bench-farm:
	$(CARGO) bench --locked --bench farm -- $(BENCH)

bench-membership:
	$(CARGO) bench --locked --bench membership

bench-replication:
	$(CARGO) bench --locked --bench replication -- $(BENCH)

bench-web:
	$(CARGO) bench --locked --bench web

deny:
ifeq ($(DENY),yes)
	$(CARGO) deny --locked check --hide-inclusion-graph $(DENY_CHECKS)
else
	@echo "cargo-deny is not installed: dependencies NOT checked (cargo install cargo-deny --locked)"
endif
