#!/bin/bash
# strace of a program, both inside.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" strace
strace -f -o log sh -c 'echo traced; /bin/true'; grep -c 'exited with 0' log; echo pass
