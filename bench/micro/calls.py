"""bench/micro/calls in each mode: what a call costs."""

import json
import os
import subprocess

# Name of the mode, arguments of `guise run`.
MODES = [
    ("linux", []),
    ("linux, sud", ["--mechanism", "sud"]),
    ("fakeroot", ["--personality", "fakeroot"]),
    ("legacy:el6", ["--personality", "legacy:el6"]),
    ("fakeroot,legacy:el6", ["--personality", "fakeroot,legacy:el6"]),
    ("sandboxed", ["--personality", "sandboxed", "--preset", "readonly", "--ro", "{directory}"]),
    ("linux, all=server", ["--place", "all=server"]),
]


def _measure(command):
    """Seconds by benchmark of one round."""
    arguments = ["--benchmark_format=json", "--benchmark_min_time=0.05"]
    output = subprocess.run(command + arguments, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    scale = {"ns": 1e-9, "us": 1e-6}
    return {
        b["name"]: b["real_time"] * scale[b["time_unit"]] for b in json.loads(output)["benchmarks"]
        if not b.get("error_occurred")
    }


def _private_memory(command):
    """KiB of private memory of a small program, by its own smaps_rollup."""
    output = subprocess.run(command + ["/bin/cat", "/proc/self/smaps_rollup"], check=True, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True).stdout
    return sum(int(line.split()[1]) for line in output.splitlines() if line.startswith("Private_"))


def _commands(guise, directory):
    words = {"{directory}": directory}
    return {"native": []} | {
        name: [guise, "run", *(words.get(word, word) for word in arguments), "--"] for name, arguments in MODES
    }


def measure(guise, calls, rounds, progress):
    """{mode: {benchmark: [seconds, ...]}}; a round runs all modes in turn."""
    seconds = {}
    for number in range(rounds):
        progress(f"calls, round {number + 1} of {rounds}")
        for mode, command in _commands(guise, os.path.dirname(calls)).items():
            for benchmark, time in _measure(command + [calls]).items():
                seconds.setdefault(mode, {}).setdefault(benchmark, []).append(time)
    return seconds


def private_memory(guise):
    """{mode: KiB}"""
    return {mode: _private_memory(command) for mode, command in _commands(guise, "/").items()}
