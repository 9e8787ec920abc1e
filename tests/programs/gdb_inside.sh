#!/bin/bash
# gdb on a program, both inside: a breakpoint and a backtrace. The setting is that of the README.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" gdb gcc
printf 'int f(int x) { return x + 1; }\nint main(void) { return f(1) - 2; }\n' > g.c; gcc -g -O0 -o g g.c
gdb -nx -batch -ex 'handle SIGSYS nostop noprint pass' -ex 'break f' -ex run -ex bt -ex continue ./g 2> /dev/null | grep -c -e '^#1 .*main' -e 'exited normally'
echo pass
