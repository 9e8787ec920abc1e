#!/bin/bash
# valgrind's memcheck on a program.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" valgrind
valgrind -q --error-exitcode=9 /bin/true; echo pass
