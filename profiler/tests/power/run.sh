#!/usr/bin/env bash
# False alarms and power of bench, profile, check and diff, by many comparisons of one build with itself and with two
# planted slow-downs. Takes some 90 minutes on two idle cores; stopped and started again, it continues. Needs valgrind.
# With `short`: only what needs no times, some minutes, with quick builds. Other arguments are parts of names of
# comparisons: only these are made.
set -euo pipefail
cd "$(dirname "$0")/../../.."

command -v valgrind >/dev/null || { echo "error: valgrind is missing (Debian: sudo apt-get install valgrind)" >&2; exit 1; }
target=${CARGO_TARGET_DIR:-target}
folder="$target/test-diff" builds=(base small slow) options=("$@")
if [ "${1:-}" = short ]; then
  folder="$target/test-diff-short" builds=(base small) options=(--short)
  export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
    CARGO_PROFILE_RELEASE_DEBUG=0
fi
mkdir -p "$folder"
# Absolute: cargo runs the test in the folder of its package.
folder=$(cd "$folder" && pwd)

for build in "${builds[@]}"; do
  features=(); [ "$build" = base ] || features=(--features "planted-$build")
  built=$(profiler/built.sh -p evmscope --bin evmscope --target-dir "$folder/target" "${features[@]}")
  # Unchanged files keep their time, and their outcomes.
  cmp -s "$built" "$folder/$build" || cp "$built" "$folder/$build"
done
# Cargo runs tests in the folder of their package.
cargo test --locked --workspace --test power -- "$(realpath "$folder")" "${options[@]}"
