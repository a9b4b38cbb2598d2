#!/bin/sh
# Builds in release mode and prints the path of the executable, as cargo states it: `built.sh -p evmscope --bin evmscope`.
# Where cargo puts it depends on its configuration and environment. At a path put together by hand there may be an older
# build, which would be run without a word.
set -eu
messages=$(${CARGO:-cargo} build --release --locked --message-format=json-render-diagnostics "$@")
# The path is a JSON string: a backslash is before every quote and backslash of it.
paths=$(printf '%s\n' "$messages" | sed -nE 's/.*"executable":"(([^"\\]|\\.)*)".*/\1/p' | sed 's/\\\(.\)/\1/g')
case $(printf '%s' "$paths" | grep -c '') in
  1) printf '%s\n' "$paths" ;;
  0) echo "error: cargo built no executable with $*" >&2; exit 1 ;;
  *) echo "error: cargo built several executables with $*: name one target (CARGO_BUILD_TARGET, or build.target)" >&2; exit 1 ;;
esac
