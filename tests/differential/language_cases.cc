#include "tests/differential/cases.h"

namespace guise::tests {
namespace {

constexpr char kPython[] = R"py(
import os, subprocess, sys, threading, tempfile, hashlib, signal, select, socket, multiprocessing
print(subprocess.run(["echo", "hello"], capture_output=True).stdout, subprocess.call("exit 3", shell=True))
p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True)
print(len(p.communicate(b"x" * 300000)[0]), p.returncode)
results = [None] * 16
def work(i):
    name = "file%d" % i
    with open(name, "w") as f:
        f.write("y" * i)
    results[i] = (os.stat(name).st_size, subprocess.check_output(["sh", "-c", "echo %d" % i]))
threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
[t.start() for t in threads]; [t.join() for t in threads]
print(results)
def handler(number, frame): print("signal", number)
signal.signal(signal.SIGUSR1, handler); os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.05); signal.signal(signal.SIGALRM, handler); signal.pause()
a, b = socket.socketpair(); a.send(b"ping"); print(select.select([b], [], [], 5)[0] == [b], b.recv(10))
with tempfile.TemporaryDirectory(dir=".") as d: print(os.listdir(d))
r, w = os.pipe()
if os.fork() == 0:
    os.write(w, b"from the child"); os._exit(7)
print(os.read(r, 100), os.waitstatus_to_exitcode(os.wait()[1]))
try: os.execv("/no/such", ["x"])
except OSError as e: print(e.errno)
try: subprocess.run(["/etc/passwd"])
except OSError as e: print(e.errno)
print(multiprocessing.get_context("fork").Pool(2).map(abs, range(-5, 5)), multiprocessing.get_context("spawn") is not None)
print(hashlib.sha256(open(sys.executable, "rb").read()).hexdigest() == hashlib.sha256(open("/proc/self/exe", "rb").read()).hexdigest())
print(sorted(os.listdir("."))); sys.exit(5)
)py";

constexpr char kPerl[] = R"pl(
use strict; use warnings; use IO::Handle; use POSIX qw(:sys_wait_h);
$| = 1; print "pid ok\n" if $$ == getppid() || $$ > 1;
open(my $in, "-|", "echo piped; exit 2") or die; print <$in>; close $in; print $? >> 8, "\n";
my @kids; for my $i (1 .. 5) { my $pid = fork; if (!$pid) { exit $i } push @kids, $pid }
my $sum = 0; for (@kids) { waitpid($_, 0); $sum += $? >> 8 } print "$sum\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; sleep 100; }; print $@;
print `printf 'a\nb\n' | sort -r`; open(my $f, ">", "out") or die; print $f "x" x 1000; close $f; print -s "out", "\n";
my @stat = stat "out"; printf "%o %d\n", $stat[2], $stat[7]; print join(",", sort glob "*"), "\n";
system "sh", "-c", "kill -9 \$\$"; print $? & 127, "\n"; system "/no/such"; print $? == -1 ? "failed\n" : "ran\n";
exec "echo", "last" or die;
)pl";

}  // namespace

std::vector<Differential> LanguageCases() {
  std::vector<Differential> cases;
  Differential python;
  python.name = "python3_subprocess_and_threads";
  python.argv = {"/usr/bin/python3", "-c", kPython};
  python.needs = {"python3"};
  python.exit_code = 5;
  cases.push_back(python);
  Differential perl;
  perl.name = "perl";
  perl.argv = {"perl", "-e", kPerl};
  perl.needs = {"perl"};
  cases.push_back(perl);
  cases.push_back(Script("python3_imports_much", R"sh(
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c '
import asyncio, json, xml.dom.minidom, sqlite3, ctypes, unittest, http.server, zipfile, decimal, concurrent.futures as c
async def main():
    p = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE)
    print((await p.communicate())[0], await asyncio.gather(*[asyncio.sleep(0.01, i) for i in range(5)]))
asyncio.run(main())
with c.ProcessPoolExecutor(2) as pool: print(list(pool.map(abs, range(-3, 3))))
with c.ThreadPoolExecutor(8) as pool: print(sum(pool.map(lambda i: i * i, range(1000))))
db = sqlite3.connect("x.db"); db.execute("create table t(a)"); db.executemany("insert into t values(?)", [(i,) for i in range(100)]); db.commit()
print(db.execute("select sum(a) from t").fetchone())
z = zipfile.ZipFile("z.zip", "w"); z.writestr(zipfile.ZipInfo("a"), "b" * 1000); z.close(); print(zipfile.ZipFile("z.zip").read("a")[:3])
print(ctypes.CDLL(None).getppid() > 0)'
)sh",
                         {"python3"}));
  cases.push_back(Script("node", R"sh(
node -e 'const { execFileSync, spawnSync } = require("child_process"); const fs = require("fs");
console.log(execFileSync("echo", ["from node"]).toString(), spawnSync("sh", ["-c", "exit 9"]).status);
fs.writeFileSync("f", "x".repeat(1000)); console.log(fs.statSync("f").size); setTimeout(() => process.exit(4), 10)'; echo $?
)sh",
                         {"node"}));
  cases.push_back(Script("m4", R"sh(
echo 'changequote([, ])define(x, [y$1])x(z) esyscmd(echo shell)' | m4
)sh",
                         {"m4"}));
  return cases;
}

}  // namespace guise::tests
