#!/bin/sh
# The committed docs/SYSCALLS.md is what the generator ($1) writes. The document is found from this script's place in
# the source tree, which the runfiles link to.
set -u
document=$(dirname "$(readlink -f "$0")")/../../docs/SYSCALLS.md
if ! "$1" | diff -u "$document" -; then
  echo "docs/SYSCALLS.md is out of date: bazel run //tools/gen_syscalls_md > docs/SYSCALLS.md" >&2
  exit 1
fi
