#!/usr/bin/env bash
# Proves `evmscope diff`: it finds a planted slow-down and names its opcode, and 20 comparisons of a binary with
# itself raise no alarm. Takes some 10 minutes on two idle cores; needs valgrind, which names the opcode.
set -euo pipefail
cd "$(dirname "$0")/../../.."

target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked -p evmscope
CARGO_TARGET_DIR="$target/planted" cargo build --release --locked -p evmscope --features planted-slow
own="$target/release/evmscope" slow="$target/planted/release/evmscope"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

code=0
"$own" diff "$own" "$slow" --cases snailtracer --out "$out" | tee "$out/said" || code=${PIPESTATUS[0]}
[ "$code" = 3 ] || { echo "error: the planted slow-down ended with exit code $code, not 3" >&2; exit 1; }
tr '\n' ' ' < "$out/said" | grep -q 'mainly MUL' || { echo "error: MUL was not named" >&2; exit 1; }

for run in $(seq 20); do
  "$own" diff "$own" "$own" --cases ten-thousand-hashes --no-simulate --out "$out" > "$out/said" || {
    echo "error: false alarm in run $run:" >&2
    cat "$out/said" >&2
    exit 1
  }
  echo "same binary, run $run: $(head -1 "$out/said")"
done
echo "found what was planted, and raised no false alarm in 20"
