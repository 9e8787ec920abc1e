#!/bin/bash
# A program built with AddressSanitizer: a clean run, and a fault that it finds.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" gcc
printf '#include <stdlib.h>\nint main(int c, char** v) { (void)v; char* p = malloc(8); free(p); return c > 1 ? p[0] : 0; }\n' > a.c
gcc -w -g -fsanitize=address -o a a.c; ./a; ./a x 2>&1 | grep -o heap-use-after-free | head -1; echo pass
