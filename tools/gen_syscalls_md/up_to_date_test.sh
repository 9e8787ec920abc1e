#!/bin/bash
# The committed docs/$2.md is what the generator ($1) writes. The document is found from this script's place in the source
# tree, which the runfiles link to.
set -uo pipefail
document=$(dirname "$(readlink -f "$0")")/../../docs/$2.md
if ! "$1" | diff -u "$document" -; then
  echo "docs/$2.md is out of date: bazel run //tools/$(basename "$1") > docs/$2.md" >&2
  exit 1
fi
