"""bench/micro/calls in each mode: what a call costs."""

import json
import os
import subprocess
import tempfile

# Name of the mode, arguments of `guise run`.
MODES = [
    ("linux", []),
    ("linux, sud", ["--mechanism", "sud"]),
    ("fakeroot", ["--personality", "fakeroot"]),
    ("legacy", ["--personality", "legacy:{profile}"]),
    ("fakeroot,legacy", ["--personality", "fakeroot,legacy:{profile}"]),
    ("sandboxed", ["--personality", "sandboxed", "--preset", "readonly", "--ro", "{directory}"]),
    ("linux, all=server", ["--place", "all=server"]),
]


# Of el6, with the vsyscall page where no kernel has one: calls to it fault as they do on a kernel without.
PAGE = "0xffffffffff601000"
PROFILE = f"""release: "2.6.32"
version: "#1 SMP"
vsyscall_page: {PAGE}
removed_calls: true
"""


def _measure(command):
    """Seconds by benchmark of one round."""
    arguments = ["--benchmark_format=json", "--benchmark_min_time=0.05"]
    environment = dict(os.environ)
    if any("legacy" in word for word in command):
        environment["VSYSCALL_PAGE"] = PAGE
    output = subprocess.run(command + arguments, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            env=environment).stdout
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


def _commands(guise, directory, profile):
    def words(arguments):
        return [word.replace("{directory}", directory).replace("{profile}", profile) for word in arguments]

    return {"native": []} | {name: [guise, "run", *words(arguments), "--"] for name, arguments in MODES}


def measure(guise, calls, rounds, progress):
    """{mode: {benchmark: [[seconds], ...]}}; a round runs all modes in turn."""
    seconds = {}
    with tempfile.NamedTemporaryFile("w", suffix=".textproto") as profile:
        profile.write(PROFILE)
        profile.flush()
        for number in range(rounds):
            progress(f"calls, round {number + 1} of {rounds}")
            for mode, command in _commands(guise, os.path.dirname(calls), profile.name).items():
                for benchmark, time in _measure(command + [calls]).items():
                    seconds.setdefault(mode, {}).setdefault(benchmark, []).append([time])
    return seconds


def private_memory(guise):
    """{mode: KiB}"""
    return {mode: _private_memory(command) for mode, command in _commands(guise, "/", "el6").items()}
