#!/bin/bash
set -eu
. "${BASH_SOURCE[0]%/*}/lib/cpython.sh" test_os
