#!/usr/bin/env bash
# Fetches what the emulated machine is made of, as Debian packages: the emulator and the cross linker
# become system packages; the arm64 kernel, busybox and Rust's arm64 standard library are unpacked
# under $1 only. Runs once; a second call finds everything there.
#
# Exits 0 when all is there. Where it cannot be (no Debian, no root, no network), exits 77 and says why
# on stderr, in one line.
set -euo pipefail

home=$1
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# shellcheck source=/dev/null
release=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")

unable() { echo "no emulated PMU here: $*" >&2; exit 77; }
attempt() { "$@" >>"$home/setup.log" 2>&1 || unable "'$*' failed, see $home/setup.log"; }

[ -e "$home/complete" ] && exit 0
[ "$(uname -m)" = x86_64 ] || unable "the scripts know x86_64 as host only"
command -v apt-get >/dev/null && [ -n "$release" ] && [ -e "$keyring" ] || unable "its parts are Debian packages, and this is no Debian"
[ "$(id -u)" = 0 ] || unable "its packages need root to be installed (sudo make test-pmu)"
mkdir -p "$home"/{kernel,busybox,rust,packages/{amd64,arm64},apt/{lists,backports}/partial,apt/archives/partial}
: >"$home/setup.log"

# The mirror this machine already uses, in either style of sources.
mirror=$(sed -n 's/^URIs: *\(.*\)\/debian\/*$/\1/p; s/^deb .*\(http[^ ]*\)\/debian\/* .*/\1/p' \
  /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1) || true
[ -n "$mirror" ] || unable "no Debian mirror in /etc/apt"
sources() { printf "deb [signed-by=$keyring] $mirror/%s main\n" "debian $release" "debian-security $release-security" "$@"; }
sources >"$home/apt/main.list"
sources "debian $release-backports" >"$home/apt/backports.list"

install=(apt-get -y -qq --no-remove --no-install-recommends)
export DEBIAN_FRONTEND=noninteractive

# A newer qemu-utils, from backports, excludes the emulator of the release: then both come from there.
emulator() {
  command -v qemu-system-aarch64 >/dev/null && return
  local utils
  utils=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null || echo 0)
  if dpkg --compare-versions "$utils" ge 1:8; then
    local from=(-o "Dir::Etc::sourcelist=$home/apt/backports.list" -o Dir::Etc::sourceparts=-
      -o "Dir::State::lists=$home/apt/backports")
    attempt apt-get "${from[@]}" -qq update
    attempt "${install[@]}" "${from[@]}" -t "$release-backports" install "qemu-system-arm=$utils"
  else
    attempt "${install[@]}" install qemu-system-arm
  fi
}

# apt's state for the foreign architecture is private: dpkg's own is not touched.
arm64() {
  local options=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::Etc::sourcelist=$home/apt/main.list"
    -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$home/apt/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$home/apt" -o APT::Sandbox::User=root)
  "$1" "${options[@]}" "${@:2}"
}
first_dependency() { sed -n "s/.*Depends: \($1\)\$/\1/p" | head -n 1; }

attempt apt-get -qq update
emulator
attempt "${install[@]}" install gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross cpio

attempt arm64 apt-get -qq update
kernel=$(arm64 apt-cache depends linux-image-cloud-arm64 | first_dependency '.*')
cd "$home/packages/arm64"
attempt arm64 apt-get -qq download "$kernel" busybox-static libstd-rust-web-dev
dpkg --fsys-tarfile "$kernel"_*.deb | tar -x -C "$home/kernel" --wildcards './boot/vmlinuz-*'
dpkg -x busybox-static_*.deb "$home/busybox"

# Rust's standard library must be of the very compiler that uses it, so the compiler comes along.
std=$(apt-cache depends libstd-rust-web-dev | first_dependency 'libstd-rust-web-[0-9.]*')
llvm=$(apt-cache depends "$std" | first_dependency 'libllvm[0-9]*')
attempt "${install[@]}" install "$llvm"
cd "$home/packages/amd64"
attempt apt-get -o APT::Sandbox::User=root -qq download rustc-web "$std" libstd-rust-web-dev
for package in ./*.deb ../arm64/libstd-rust-web-dev_*.deb; do dpkg -x "$package" "$home/rust"; done
cat >"$home/rustc" <<RUSTC
#!/bin/sh
export LD_LIBRARY_PATH=$home/rust/usr/lib/x86_64-linux-gnu
exec $home/rust/usr/bin/rustc --sysroot $home/rust/usr "\$@"
RUSTC
chmod 755 "$home/rustc"
"$home/rustc" -V >/dev/null || unable "Debian's rustc does not start"
rm -rf "$home/packages" "$home/apt"
touch "$home/complete"
