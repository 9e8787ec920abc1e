#!/bin/bash
# PostgreSQL: initdb, a server on a socket, pgbench, and a shutdown. It refuses to run as root, so root takes another id.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" setpriv
bin=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | sort -V | tail -1)
[ -n "$bin" ] && [ -x "$bin/pgbench" ] || { echo 'needs postgresql'; exit 77; }
as=
if [ "$(id -u)" = 0 ]; then chown 65534:65534 .; as='setpriv --regid 65534 --clear-groups setpriv --reuid 65534 env HOME=.'; fi
$as "$bin/initdb" -D data -A trust -U me --no-sync > /dev/null
$as "$bin/postgres" -D data -k "$PWD" -c listen_addresses= -c fsync=off > log 2>&1 & server=$!
until $as "$bin/pg_isready" -q -h "$PWD"; do kill -0 $server; done
$as "$bin/pgbench" -h "$PWD" -U me -i -q postgres 2> /dev/null
$as "$bin/pgbench" -h "$PWD" -U me -c 4 -j 2 -t 50 -n postgres 2> /dev/null | grep 'actually processed'
$as "$bin/psql" -h "$PWD" -U me -Atc 'select count(*) from pgbench_history' postgres
kill -INT $server; wait $server; echo pass
