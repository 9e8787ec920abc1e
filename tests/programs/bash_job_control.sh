#!/bin/bash
# Job control on a terminal: stop, list, continue, and wait for a background job.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" script bash
cat > jobs.rc <<'END'
set -m
sleep 100 & job=$!
kill -STOP $job; while [[ $(jobs -s) != *Stopped* ]]; do :; done
jobs -s | tr -s ' '; bg > /dev/null; kill $job; wait $job || echo "ended $?"
END
script -qec 'bash --norc jobs.rc' /dev/null < /dev/null | tr -d '\r' | grep -c -e Stopped -e 'ended 143'
echo pass
