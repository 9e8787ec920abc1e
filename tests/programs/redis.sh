#!/bin/bash
# redis on a socket, under redis-benchmark.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" redis-server redis-cli redis-benchmark
redis-server --port 0 --unixsocket "$PWD/s" --save '' --daemonize no > log & server=$!
until redis-cli -s s ping > /dev/null 2>&1; do kill -0 $server; done
redis-benchmark -s s -n 2000 -q -t set,get > /dev/null; redis-cli -s s set k v; redis-cli -s s get k
redis-cli -s s shutdown nosave; wait $server; echo pass
