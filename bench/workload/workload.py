"""Whole programs in each mode and under the peers, by hyperfine(1).

hyperfine runs inside: a session (or a peer) is started once a round, and what is timed is what users wait for in it.
"""

import json
import os
import shutil
import subprocess
import tempfile

# Name of the mode, and what stands before a command in it. {guise}: the installed program.
MODES = [
    ("native", []),
    ("guise, linux", ["{guise}", "run", "--"]),
    ("guise, linux, sud", ["{guise}", "run", "--mechanism", "sud", "--"]),
    ("guise, fakeroot", ["{guise}", "run", "--personality", "fakeroot", "--"]),
    ("guise, sandboxed", ["{guise}", "run", "--personality", "sandboxed", "--preset", "build", "--"]),
    ("bwrap", ["bwrap", "--dev-bind", "/", "/", "--"]),
    ("fakeroot(1)", ["fakeroot", "--"]),
    ("proot", ["proot", "-0"]),
    # Its default platform, ptrace(2): kvm needs a bare machine. Without an overlay, as all others write to the real files.
    ("gVisor", ["runsc", "--rootless", "--network=none", "do", "-quiet", "-force-overlay=false"]),
    ("strace", ["strace", "-f", "-qq", "-o", "/dev/null"]),
]

# By so much slower that a few rounds say it.
SLOW = {"proot", "gVisor", "strace"}
SLOW_ROUNDS = 2

# Name, command; run in the directory that prepare() has filled. Without a shell but where it says sh.
WORKLOADS = [
    ("true", "/bin/true"),
    ("static true", "{busybox} true"),
    ("1,000 true from sh", "sh -c 'i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done'"),
    ("500 subshells", "sh -c 'i=0; while [ $i -lt 500 ]; do x=$(echo $i | cat); i=$((i+1)); done'"),
    ("python3 -c pass", "/usr/bin/python3 -c pass"),
    ("git status", "git -C repository status --short"),
    ("tar", "tar cf tar.tar repository"),
    ("ls -lR", "ls -lR repository"),
    ("make", "make -s -C project -B -j2"),
    ("redis", "sh redis.sh -n 20000"),
    ("redis, pipelined", "sh redis.sh -n 200000 -P 16"),
]

REDIS = """cd "$(mktemp -d)"
redis-server --port 0 --unixsocket ./s --save '' --daemonize no >/dev/null &
until redis-cli -s ./s ping >/dev/null 2>&1; do :; done
redis-benchmark -s ./s -q -t get,set "$@" >/dev/null
redis-cli -s ./s shutdown nosave
wait
"""


def _git(*arguments):
    subprocess.run(["git", "-C", "repository", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True,
                   stdout=subprocess.DEVNULL)


def prepare():
    """Fills the current directory with what the workloads work on."""
    for number in range(2000):
        directory = f"repository/{number // 50}"
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/{number}.txt", "w", encoding="utf-8") as file:
            file.write(f"{number}\n" * 200)
    subprocess.run(["git", "init", "-q", "repository"], check=True)
    _git("add", ".")
    _git("commit", "-q", "-m", "all")
    os.mkdir("project")
    names = [f"part{number}" for number in range(12)]
    for name in names:
        with open(f"project/{name}.c", "w", encoding="utf-8") as file:
            file.write(f"#include <stdio.h>\n#include <stdlib.h>\nint {name}(void) {{ return puts(\"{name}\"); }}\n")
    with open("project/Makefile", "w", encoding="utf-8") as file:
        file.write("all: " + " ".join(name + ".o" for name in names) + "\n\t$(AR) rc all.a $^\n")
    with open("redis.sh", "w", encoding="utf-8") as file:
        file.write(REDIS)


def _missing(word):
    return shutil.which(word) is None


def _measure(prefix, command, runs):
    """Seconds of each run."""
    # Here: /tmp is another one in a sandbox.
    with tempfile.NamedTemporaryFile(suffix=".json", dir=".") as result:
        arguments = ["--shell=none", "--style=none", "--warmup=1", f"--runs={runs}", "--export-json", result.name]
        subprocess.run(prefix + ["hyperfine", *arguments, command], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return json.load(result)["results"][0]["times"]


def _works(prefix, command):
    """Whether a mode can run it at all: hyperfine would give up all others, too."""
    done = subprocess.run(prefix + ["sh", "-c", command], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
    return done.returncode == 0


def _modes(words):
    """{mode: what stands before a command}, and which are not installed."""
    modes, left_out = {}, []
    for mode, prefix in MODES:
        prefix = [words.get(word, word) for word in prefix]
        if prefix and _missing(prefix[0]):
            left_out.append(f"{mode} (not installed)")
        else:
            modes[mode] = prefix
    return modes, left_out


def _commands(words):
    """{workload: command}, and which lack a program."""
    needed = {"static true": "busybox", "redis": "redis-server", "redis, pipelined": "redis-server"}
    commands, left_out = {}, []
    for name, command in WORKLOADS:
        if name in needed and _missing(needed[name]):
            left_out.append(f"{name} ({needed[name]} is not installed)")
        else:
            commands[name] = command.replace("{busybox}", words["{busybox}"])
    return commands, left_out


def measure(guise, rounds, runs, progress):
    """{mode: {workload: [[seconds, ...] of a round, ...]}}, and what was left out. A round runs each workload in all modes
    in turn, `runs` times each; what takes many times as long does so in the first rounds only."""
    words = {"{guise}": guise, "{busybox}": shutil.which("busybox") or ""}
    modes, left_out = _modes(words)
    commands, missing = _commands(words)
    left_out += missing
    seconds = {mode: {} for mode in modes}
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        try:
            prepare()
            works = {}
            for mode, prefix in modes.items():
                progress(f"workloads that run: {mode}")
                works[mode] = {name for name, command in commands.items() if _works(prefix, command)}
                left_out += [f"{name} (fails: {mode})" for name in commands if name not in works[mode]]
            for number in range(rounds):
                for name, command in commands.items():
                    progress(f"workloads, round {number + 1} of {rounds}: {name}")
                    for mode, prefix in modes.items():
                        if name in works[mode] and (mode not in SLOW or number < SLOW_ROUNDS):
                            times = _measure(prefix, command, runs)
                            seconds[mode].setdefault(name, []).append(times)
        finally:
            os.chdir(before)
    return seconds, left_out
