#!/bin/bash
# man, whose helpers each run under a seccomp filter.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" man
man -P cat ls | wc -l; man -P cat man | wc -l; echo pass
