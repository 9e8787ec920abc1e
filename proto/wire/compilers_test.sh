#!/bin/sh
# The wire's headers compile freestanding, each alone, with both compilers, and both lay them out as layout.txt says.
set -u
failed=0
passed=0
say() {
  if [ "$1" -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $2"
  fi
}

for compiler in g++ clang++; do
  command -v "$compiler" > /dev/null || { echo "FAILED: $compiler is not installed"; exit 1; }
  for header in proto/wire/*.h; do
    # What the tests share among themselves is hosted.
    case $header in */layout_text.h | */model*.h) continue ;; esac
    "$compiler" -std=c++20 -Wall -Wextra -Werror -ffreestanding -nostdinc++ -mgeneral-regs-only -fno-exceptions \
      -fno-rtti -I. -include "$header" -x c++ -c /dev/null -o "$TEST_TMPDIR/header.o"
    say $? "$compiler does not compile $header freestanding and alone"
  done
  "$compiler" -std=c++20 -I. proto/wire/layout_dump.cc -o "$TEST_TMPDIR/layout_dump" &&
    "$TEST_TMPDIR/layout_dump" > "$TEST_TMPDIR/layout.txt" &&
    diff "$TEST_TMPDIR/layout.txt" proto/wire/layout.txt
  say $? "$compiler lays out the wire otherwise than layout.txt"
done

echo "$passed checks passed, $failed failed"
[ "$failed" -eq 0 ]
