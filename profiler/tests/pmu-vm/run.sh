#!/usr/bin/env bash
# `make test-pmu`: evmscope, built for arm64, counts on an emulated machine that has a PMU, and
# tests/pmu_vm.rs checks the result. Skipped, with the reason, where setup.sh finds no way.
#
# The parts of the machine stay in $EVMSCOPE_PMU_VM (300 MB, made once); the build is cargo's own folder.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."
home=${EVMSCOPE_PMU_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/evmscope/pmu-vm}
mkdir -p "$home"
target=aarch64-unknown-linux-gnu

# That it builds for arm64 can be checked with the target alone (rustup target add).
skip() {
  echo "skipped: no emulated PMU (the reason is above)"
  if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then cargo check --locked --target "$target" -p evmscope --no-default-features; fi
  exit 0
}
"$here/setup.sh" "$home" || { [ $? = 77 ] && skip; exit 1; }

# Debian's compiler is another one: in the shared folder it would rebuild everything, each time.
build=${CARGO_TARGET_DIR:-target}/arm64
arm64() {
  RUSTC=$home/rustc CARGO_TARGET_DIR=$build CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static" \
    cargo "$@" --locked --target "$target" -p evmscope --no-default-features --message-format json-render-diagnostics
}
# Where cargo says that it put a target.
built() { sed -n 's/.*"name":"'"$1"'".*"executable":"\([^"]*\)".*/\1/p' "$2" | tail -n 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arm64 build --profile test --bin evmscope --example hold_pmu >"$work/built"
arm64 test --no-run --bin evmscope >"$work/tests"

root=$work/root
mkdir -p "$root"/{bin,cases}
cp "$(built evmscope "$work/built")" "$root/bin/evmscope"
cp "$(built hold_pmu "$work/built")" "$root/bin/hold_pmu"
cp "$(built evmscope "$work/tests")" "$root/bin/evmscope-units"
# The unit tests look for inline frames, so theirs must stay.
aarch64-linux-gnu-strip --strip-debug "$root"/bin/{evmscope,hold_pmu}
cp -r cases/ten-thousand-hashes "$root/cases/"
cp "$here/main.sh" "$root/main"

"$here/boot.sh" "$home" "$root" >"$work/transcript"
EVMSCOPE_PMU_TRANSCRIPT=$work/transcript cargo test --workspace --locked --test pmu_vm -- --ignored
