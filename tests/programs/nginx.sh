#!/bin/bash
# nginx with two workers, asked by curl; a reload, and a graceful end.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" nginx curl
mkdir -p www tmp; seq 20000 > www/numbers; chmod 755 . www
cat > conf << END
worker_processes 2; pid $PWD/pid; error_log $PWD/error.log; daemon off;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server { listen unix:$PWD/s; root $PWD/www; }
}
END
[ "$(id -u)" = 0 ] && sed -i '1i user root;' conf
nginx -p "$PWD" -c conf 2> /dev/null & server=$!
until curl -s --unix-socket s http://x/numbers > /dev/null; do kill -0 $server; done
for _ in 1 2 3 4 5 6 7 8; do curl -s --unix-socket s http://x/numbers | sum; done
curl -s --unix-socket s -o /dev/null -w '%{http_code}\n' http://x/none
kill -HUP $server; curl -s --unix-socket s http://x/numbers | sum
kill -QUIT $server; wait $server; echo pass
