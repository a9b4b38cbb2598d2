#!/usr/bin/env bash
# Boots an emulated arm64 machine with a PMU (6 counters and the cycle counter), lays the folder $2 over
# its root, runs /main there with busybox' sh and prints what that prints. Exits as /main does; 124 after
# too long a time, 125 where the machine did not get to the end: then its console is on stderr.
#
# $1 is what setup.sh filled. In the emulation an instruction takes 4 ns and a cycle 1 ns, whatever the
# host does, and interrupts of the PMU come on time: `icount shift=2` is the least for that.
set -euo pipefail

home=$1 overlay=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp}
cp "$home"/busybox/bin/busybox "$root/bin/busybox"
cp -a "$overlay/." "$root/"
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev; mount -t proc none /proc; mount -t sysfs none /sys
exec </dev/null
echo '@@begin'
# Through a pipe: on a console programs draw bars and wrap lines.
{ sh /main 2>&1; echo $? >/tmp/code; } | cat
printf '\n@@end %d\n' "$(cat /tmp/code)"
poweroff -f
INIT
chmod 755 "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc --owner 0:0) >"$work/initrd"

code=0
timeout "${TIMEOUT:-600}" qemu-system-aarch64 -machine virt -cpu max,pauth=off -icount shift=2,sleep=off -smp 1 -m 1536 \
  -display none -monitor none -serial stdio -nic none -no-reboot \
  -kernel "$home"/kernel/boot/vmlinuz-* -initrd "$work/initrd" \
  -append 'console=ttyAMA0 quiet loglevel=3 panic=-1 rdinit=/init' </dev/null >"$work/console" 2>"$work/errors" || code=$?
sed -i 's/\r$//' "$work/console"
sed '0,/^@@begin$/d;/^@@end [0-9]*$/,$d' "$work/console"
ended=$(sed -n 's/^@@end \([0-9]*\)$/\1/p' "$work/console" | tail -n 1)
[ "$code" != 124 ] || { echo "the emulated machine ran too long" >&2; cat "$work/errors" >&2; exit 124; }
[ -n "$ended" ] || { echo "the emulated machine ended early (qemu: $code)" >&2; cat "$work/errors" >&2; tail -n 30 "$work/console" >&2; exit 125; }
exit "$ended"
