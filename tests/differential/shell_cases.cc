#include "tests/differential/cases.h"

namespace guise::tests {

std::vector<Differential> ShellCases() {
  std::vector<Differential> cases;
  cases.push_back(Script("bash_pipeline", R"sh(
set -o pipefail
seq 1 2000 | sed 's/$/ bottles/' | grep 7 | sort -rn | head -100 | tee kept | wc -l
cat kept | tr a-z A-Z | cut -c1-6 | uniq | tail -3
false | true; echo "pipe says $?"
)sh"));
  cases.push_back(Script("bash_redirections", R"sh(
echo one > f; echo two >> f; exec 5< f; read -u 5 a; read -u 5 b; exec 5<&-; echo "$b $a"
{ echo out; echo err >&2; } > both 2>&1; cat both
cat <<< "a here string"; cat << END
here: $((6 * 7))
END
exec 200> lock; flock 200; echo locked; exec 200>&-
exec 255> high; echo high >&255; cat high
ls no_such_file 2> /dev/null; echo "ls says $?"
cat < <(echo process; echo substitution)
)sh"));
  cases.push_back(Script("bash_jobs_and_traps", R"sh(
trap 'echo leaving' EXIT; trap 'echo got usr1' USR1
kill -USR1 $$; (exit 3) & wait $!; echo "job says $?"
sh -c 'kill -TERM $$' & wait $!; echo "killed job says $?"
for i in 1 2 3 4 5; do (echo $i > part.$i) & done; wait; cat part.*
)sh"));
  cases.push_back(Script("bash_exit_code", "exit 42"));
  cases.back().exit_code = 42;
  cases.push_back(Script("bash_command_not_found", "no_such_command 2> /dev/null"));
  cases.back().exit_code = 127;
  cases.push_back(Script("bash_arithmetic_loop", R"sh(
x=0; for ((i = 0; i < 100; ++i)); do x=$(( (x * 31 + i) % 1000003 )); y=$(echo $x); done; echo $y
)sh"));
  cases.push_back(Script("dash_script", R"sh(
cat > s <<'END'
#!/bin/dash -e
n=0
while read -r word; do n=$((n + 1)); set -- "$@" "$word"; done
echo "$# words, last $word$n"
END
chmod +x s; printf 'a\nb\nc\n' | ./s; printf 'a\nb\nc' | ./s
)sh"));
  cases.push_back(Script("awk_and_sed", R"sh(
seq 100 | awk '{ s += $1; if ($1 % 10 == 0) print $1, s } END { print "sum", s | "cat"; close("cat"); system("echo done") }'
printf 'a=1\nb=2\n' > f; sed -i 's/=/ is /' f; cat f
)sh"));
  cases.push_back(Script("xargs_and_parallel_children", R"sh(
seq 1 60 | xargs -n 5 -P 4 sh -c 'echo "$@" > "out.$1"' _; cat $(ls out.* | sort -V)
)sh"));
  cases.push_back(Script("environment", R"sh(
env -i A=1 B='two words' /usr/bin/env; env -i /usr/bin/env | wc -l; env -u HOME sh -c 'echo "[$HOME]"'
export BIG=$(head -c 100000 /dev/zero | tr '\0' x); sh -c 'echo ${#BIG}'
)sh"));
  cases.push_back(Script("descriptors", R"sh(
ls -l /proc/self/fd | awk 'NR > 1 { print $9 }'; ls /dev/fd/
exec 7< /dev/null; sh -c 'ls /proc/self/fd'
for fd in 224 225 226 250 255; do if { true >&$fd; } 2> /dev/null; then echo "$fd is open"; fi; done
)sh"));
  cases.push_back(Script("proc_self", R"sh(
cat /proc/self/comm; tr '\0' ' ' < /proc/self/cmdline; echo; readlink /proc/self/exe
env -i A=b cat /proc/self/environ | tr '\0' '\n'; bash -c 'cat /proc/$$/comm; true'
grep -c -i guise /proc/self/environ; grep '^SigIgn\|^SigBlk' /proc/self/status
)sh"));
  cases.push_back(Script("signals_give_128_and_n", R"sh(
for s in HUP INT QUIT KILL TERM USR1 PIPE ALRM SEGV ABRT; do sh -c "ulimit -c 0; kill -$s \$\$" 2> /dev/null; echo "$s $?"; done
timeout -s KILL 0.2 sleep 100; echo "timeout says $?"; timeout 0.2 sleep 100; echo "timeout says $?"
yes | head -1; echo "${PIPESTATUS[@]}"
)sh"));
  cases.push_back(Script("nohup_setsid_nice", R"sh(
nohup sh -c 'trap | cat; echo ran' < /dev/null 2> /dev/null; setsid -w echo in a session; nice -n 5 nice
stdbuf -oL echo buffered; ( ulimit -n 16; ulimit -n; cat /dev/null && echo low )
)sh"));
  cases.push_back(Script("busybox", R"sh(
busybox sh -c 'for i in 1 2 3; do echo $i; done | busybox sort -r | busybox tee f; busybox ls; busybox wc -l < f'
busybox find . -type f | busybox xargs busybox md5sum
)sh",
                         {"busybox"}));
  cases.back().name = "static_busybox";
  cases.push_back(Script("expect_stdin", "read a; cat; echo \"[$a]\""));
  cases.back().name = "stdin_is_passed";
  cases.back().input = "first\nsecond\nthird without a newline";
  return cases;
}

}  // namespace guise::tests
