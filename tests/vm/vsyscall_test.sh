#!/bin/bash
# Personality `legacy` on a kernel that has no vsyscall page, for real: booted with vsyscall=none. Booted with
# vsyscall=xonly the same kernel has one, and the same test finds it.
set -uo pipefail

runfiles=$TEST_SRCDIR/$TEST_WORKSPACE
run=$runfiles/tests/vm/run

if ! why=$("$run" --no-install --check 2>&1); then
  echo "SKIP: ${why#tests/vm/run: }"
  exit 0
fi

# What legacy_test says about the page on a kernel booted with the words given.
said() {
  "$run" --no-install --timeout 400 --memory 2048 --append "$1" --env "TEST_SRCDIR=$TEST_SRCDIR" \
    --env "TEST_WORKSPACE=$TEST_WORKSPACE" --env GUISE_TEST_PATIENCE_FACTOR=10 -- "$runfiles/tests/legacy/legacy_test" \
    --gtest_filter='*AnswersTheVsyscallPageOnAKernelBootedWithoutIt*' 2>&1
}

code=0
expect() {
  local words=$1 count=$2 outcome=$3 output
  output=$(said "$words") || code=1
  if [[ $(grep -c "^\[ *$outcome \] All/.*(.* ms)" <<< "$output") != "$count" ]]; then
    echo "$words: not $count of '$outcome'"
    code=1
  fi
  printf '%s:\n%s\n' "$words" "$output"
}

# As root and as an ordinary user.
expect vsyscall=none 2 OK
expect vsyscall=xonly 2 SKIPPED
exit $code
