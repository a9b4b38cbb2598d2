# Short targets; the logic is in Rust. `make` without a target lists them.

CASE  ?= snailtracer
CARGO ?= cargo
# For `make fuzz`, builds not included; split in half between the two targets of cargo fuzz.
FUZZ_SECONDS ?= 120
# Builds, and prints the path of what was built.
BUILT := CARGO='$(CARGO)' '$(CURDIR)/profiler/built.sh'
BUILT_EVMSCOPE := $(BUILT) -p evmscope --bin evmscope
EVMSCOPE := bin=$$($(BUILT_EVMSCOPE)) && "$$bin"
CASES_OF_BENCH = $(if $(filter command environment,$(firstword $(origin CASE))),$(CASE))

.DEFAULT_GOAL := help
.PHONY: help setup build profile pgo bench diff check-targets doctor test test-pmu test-diff check fuzz misery memcheck cases clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  BASE=COMMIT    what diff compares with (origin/main); its options: CASES=A,B and THRESHOLD=5%"
	@echo "  CASE=NAME      the case for profile and bench (profile: snailtracer, bench: all)"

setup:
	@command -v $(CARGO) >/dev/null || { echo "error: cargo is missing: install Rust 1.95 or later with rustup" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "error: no C compiler: install gcc or clang (Debian: sudo apt-get install gcc)" >&2; exit 1; }
	@command -v valgrind >/dev/null || echo "note: without valgrind there are no simulated counters (Debian: sudo apt-get install valgrind)" >&2

build: setup ## build the release binary
	@$(BUILT_EVMSCOPE)

profile: setup ## profile CASE: counters, flamegraphs and the counter-diff table
	$(EVMSCOPE) profile $(CASE)

bench: setup ## time all cases (or CASE) in both modes and in revm; without CASE, single opcodes too
	$(EVMSCOPE) bench $(CASES_OF_BENCH) --modes traditional,advanced,revm
	$(if $(CASES_OF_BENCH),,$(CARGO) bench --locked -p evmscope-interp --bench micro)

# The cases in PGO_TRAIN are trained on, all others are held out. One shell, so that all steps are of one build.
pgo: setup ## profile-guided build, verified on held-out cases; PGO_FLAGS for verify
	$(EVMSCOPE) pgo info && \
	"$$bin" pgo build && \
	"$$bin" pgo train $(if $(PGO_TRAIN),--cases $(PGO_TRAIN)) && \
	"$$bin" pgo merge && \
	"$$bin" pgo optimize $(if $(BOLT),--bolt) && \
	"$$bin" pgo verify $(PGO_FLAGS)

# The base is built in its own worktree with its own target folder, so that the next run rebuilds only what
# changed. The worktree is always removed. It is below this one, so that cargo reads the same configuration for both.
BASE ?= origin/main
BASE_TREE := target/base-tree

diff: setup ## compare with BASE: both binaries measured in turn, reports/out/diff.md
	@git rev-parse --verify --quiet "$(BASE)^{commit}" >/dev/null || { echo "error: $(BASE) is not a commit here: fetch it, or name another with BASE=..." >&2; exit 1; }
	@git worktree remove --force "$(BASE_TREE)" 2>/dev/null; git worktree prune; \
	trap 'git worktree remove --force "$(BASE_TREE)"' EXIT; trap 'exit 130' INT TERM; \
	git worktree add --quiet --detach "$(BASE_TREE)" "$(BASE)" && \
	head=$$($(BUILT_EVMSCOPE)) && \
	base=$$(cd "$(BASE_TREE)" && $(BUILT_EVMSCOPE) --target-dir "$$(dirname "$$head")/base") && \
	"$$head" diff "$$base" "$$head" $(if $(CASES),--cases $(CASES)) $(if $(THRESHOLD),--threshold $(THRESHOLD)) $(DIFF_OPTIONS)

check-targets: setup ## check measurements on this machine against reports/targets.toml and the baseline
	$(EVMSCOPE) check

doctor: setup ## show what this machine can measure, and what would enable the rest
	$(EVMSCOPE) doctor

test: setup ## run all tests
	$(CARGO) test --workspace --locked

test-pmu: setup ## test the counters on an emulated arm64 machine with a PMU (Debian, root; otherwise skipped)
	profiler/tests/pmu-vm/run.sh

test-diff: setup ## test all verdicts: no false alarm in 100 comparisons, planted slow-downs found (90 minutes, continues)
	profiler/tests/power/run.sh

check: setup ## quick check: format, lints, documentation, the tests of interp and reports
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	$(CARGO) test --locked -p evmscope-reports -p evmscope-interp --lib

# Works on a copy of the corpus: new inputs from the fuzzer are not committed, its findings are.
fuzz: setup ## two minutes of the fuzz targets, or of the same scenarios as a plain test
	$(CARGO) check --quiet --locked --manifest-path interp/fuzz/Cargo.toml
	@if $(CARGO) +nightly fuzz --version >/dev/null 2>&1; then \
	  cd interp/fuzz && for target in decode three_way; do \
	    mkdir -p target/corpus/$$target && cp corpus/$$target/* target/corpus/$$target/ && \
	    $(CARGO) +nightly fuzz run $$target target/corpus/$$target -- -max_total_time=$$(($(FUZZ_SECONDS) / 2)) -max_len=4096 || exit 1; \
	  done; \
	else \
	  echo "note: cargo fuzz with a nightly toolchain is not installed (rustup toolchain install nightly; cargo install cargo-fuzz): its corpus and the same generator run as a plain test"; \
	  EVMSCOPE_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --release --locked -p evmscope-interp --test differential; \
	fi

# `make test` reads the first 300. What fails is kept, and read again with EVMSCOPE_MISERY=READER:NUMBER.
misery: setup ## 10,000 malformed inputs for every reader: no panic, no hang, bounded memory
	EVMSCOPE_MISERY_INPUTS=10000 $(CARGO) test --locked -p evmscope --bin evmscope misery::

memcheck: setup ## run 1,000 messages under valgrind: no invalid access, no leak (needs valgrind)
	@command -v valgrind >/dev/null || { echo "error: valgrind is missing (Debian: sudo apt-get install valgrind)" >&2; exit 1; }
	example=$$($(BUILT) -p evmscope-interp --example many_calls) && \
	valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=1 \
	  "$$example"
	@echo "1,000 messages: no invalid access, no leak"

cases: setup ## recompile every case and compare with the committed code (needs npm)
	@command -v npm >/dev/null || { echo "error: npm is missing: install Node.js (Debian: sudo apt-get install nodejs npm)" >&2; exit 1; }
	cd cases && npm ci --silent --no-audit --no-fund && node compile.mjs --check
	$(CARGO) test --workspace --locked --test assembly

clean: ## remove build output and reports
	$(CARGO) clean
	$(CARGO) clean --manifest-path interp/fuzz/Cargo.toml
	rm -rf reports/out cases/node_modules
