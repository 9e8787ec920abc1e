#!/bin/bash
# LuaJIT with a loop that is compiled.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" luajit
luajit -e 'local s = 0; for i = 1, 1e7 do s = s + i end; print(s)'; echo pass
