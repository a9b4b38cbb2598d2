# One-line verbs; the logic is Rust. `make` alone lists them.

CASE  ?= snailtracer
CARGO ?= cargo
# Of `make fuzz`, without its builds: in halves for the two targets of cargo fuzz.
FUZZ_SECONDS ?= 120
TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN   := $(TARGET)/release/evmscope
CASES_OF_BENCH = $(if $(filter command environment,$(firstword $(origin CASE))),$(CASE))

.DEFAULT_GOAL := help
.PHONY: help setup build profile pgo bench doctor test test-pmu check fuzz memcheck cases clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  CASE=NAME      the case of profile and bench (profile: snailtracer, bench: all)"

setup:
	@command -v $(CARGO) >/dev/null || { echo "error: cargo is missing: install Rust 1.95 or later with rustup" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "error: no C compiler: install gcc or clang (Debian: sudo apt-get install gcc)" >&2; exit 1; }
	@command -v valgrind >/dev/null || echo "note: without valgrind there are no simulated counters (Debian: sudo apt-get install valgrind)" >&2

build: setup ## build the release binary
	$(CARGO) build --release --locked -p evmscope

profile: build ## profile CASE: counters, flamegraphs and the counter-diff table
	$(BIN) profile $(CASE)

bench: build ## time all cases (or CASE) in both modes and in revm; without CASE, single opcodes too
	$(BIN) bench $(CASES_OF_BENCH) --modes traditional,advanced,revm
	$(if $(CASES_OF_BENCH),,$(CARGO) bench --locked -p evmscope-interp --bench micro)

# The cases of PGO_TRAIN are learned from, all others are held out.
pgo: build ## a build with a profile, and the proof of what it brought; PGO_FLAGS for verify
	$(BIN) pgo info
	$(BIN) pgo build
	$(BIN) pgo train $(if $(PGO_TRAIN),--cases $(PGO_TRAIN))
	$(BIN) pgo merge
	$(BIN) pgo optimize $(if $(BOLT),--bolt)
	$(BIN) pgo verify $(PGO_FLAGS)

doctor: build ## what this machine can measure, and what would enable the rest
	$(BIN) doctor

test: setup ## everything that must hold
	$(CARGO) test --workspace --locked

test-pmu: setup ## count on an emulated arm64 machine with a PMU (Debian, root; skipped elsewhere)
	profiler/tests/pmu-vm/run.sh

check: setup ## the quick part of it: format, lints, the tests of interp and reports
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --locked -p evmscope-reports -p evmscope-interp --lib

# A copy of the corpus: what the fuzzer adds is not for the commit, its findings are.
fuzz: setup ## two minutes of the fuzz targets, or of the same scenes as a plain test
	cd interp/fuzz && $(CARGO) check --quiet --locked
	@if $(CARGO) +nightly fuzz --version >/dev/null 2>&1; then \
	  cd interp/fuzz && for target in decode three_way; do \
	    mkdir -p target/corpus/$$target && cp corpus/$$target/* target/corpus/$$target/ && \
	    $(CARGO) +nightly fuzz run $$target target/corpus/$$target -- -max_total_time=$$(($(FUZZ_SECONDS) / 2)) -max_len=4096 || exit 1; \
	  done; \
	else \
	  echo "note: no cargo fuzz with a nightly toolchain here (rustup toolchain install nightly; cargo install cargo-fuzz): its corpus and the same generator run as a plain test"; \
	  EVMSCOPE_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --release --locked -p evmscope-interp --test differential; \
	fi

memcheck: setup ## 1,000 messages under valgrind: no bad access, no leak (needs valgrind)
	@command -v valgrind >/dev/null || { echo "error: valgrind is missing (Debian: sudo apt-get install valgrind)" >&2; exit 1; }
	$(CARGO) build --release --locked -p evmscope-interp --example many_calls
	valgrind --quiet --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=1 \
	  $(TARGET)/release/examples/many_calls
	@echo "1,000 messages: no bad access, nothing lost"

cases: setup ## recompile every case and prove the committed code equal (needs npm)
	@command -v npm >/dev/null || { echo "error: npm is missing: install Node.js (Debian: sudo apt-get install nodejs npm)" >&2; exit 1; }
	cd cases && npm ci --silent --no-audit --no-fund && node compile.mjs --check
	$(CARGO) test --locked -p evmscope-interp --test assembly

clean: ## remove what was built and written
	$(CARGO) clean
	rm -rf reports/out cases/node_modules
