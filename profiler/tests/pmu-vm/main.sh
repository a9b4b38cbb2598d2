# What the emulated machine does, between marks that tests/pmu_vm.rs looks for.
say() { printf '\n@@%s\n' "$1"; }
step() { local name=$1; shift; say "$name"; "$@"; say "exit $?"; }

# A run as JSON, without the samples' stacks: the console is slow.
# Its first argument is the name; then a command that runs it, then after `--` further options.
profile() {
  local name=$1; shift
  local under=""
  while [ $# -gt 0 ] && [ "$1" != -- ]; do under="$under $1"; shift; done
  [ $# = 0 ] || shift
  step "$name.log" $under /bin/evmscope profile ten-thousand-hashes --case-dir /cases --no-simulate --quick --pairs 3 --sample-ms 200 --out "/tmp/$name" "$@"
  say "$name"
  cat "/tmp/$name/report.json"
}

echo 2 >/proc/sys/kernel/perf_event_paranoid
step doctor /bin/evmscope doctor
# Sessions at 20,000 signals a second and more leave an emulated machine no time for anything else.
step units /bin/evmscope-units counters::kernel:: counters::plan:: clock:: sampling:: --skip sigprof::tests:: --test-threads 1

profile alone
profile itself -- --base advanced --head advanced
profile crowded /bin/hold_pmu pinned 5
profile shared /bin/hold_pmu shared 10
# The same build on both sides, launched anew.
step diff.log /bin/evmscope diff /bin/evmscope /bin/evmscope --case-dir /cases --cases ten-thousand-hashes --launches 5 --pairs 2 --no-simulate --threshold 5% --out /tmp/diff
say diff
cat /tmp/diff/diff.json

profile starved /bin/hold_pmu pinned 7

# Debian's kernel knows level 3, which keeps everybody out but root.
mkdir -p /etc && echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >/etc/passwd
echo 3 >/proc/sys/kernel/perf_event_paranoid
step strict.root /bin/evmscope doctor
step strict start-stop-daemon -S -c nobody -x /bin/evmscope -- doctor
mkdir -p /tmp/signals && chown nobody /tmp/signals
step signals.log start-stop-daemon -S -c nobody -x /bin/evmscope -- profile ten-thousand-hashes --case-dir /cases \
  --no-simulate --quick --pairs 3 --sample-ms 500 --out /tmp/signals
say signals
cat /tmp/signals/report.json
say done
