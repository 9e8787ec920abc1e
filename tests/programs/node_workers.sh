#!/bin/bash
# Node with worker threads and a child process.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" node
node -e '
const { Worker } = require("worker_threads");
const one = i => new Promise(done => new Worker("require(\"worker_threads\").parentPort.postMessage("+i+"*2)", { eval: true }).on("message", done));
Promise.all([1, 2, 3, 4].map(one)).then(all => { console.log(all.join()); console.log(require("child_process").execSync("echo child").toString()); });'
echo pass
