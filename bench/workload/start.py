"""How long it takes to start a program, by hyperfine(1): what `guise run` and its peers themselves cost.

A server runs already, as from the second `guise run` on.
"""

import json
import os
import shutil
import subprocess
import tempfile

_HIDDEN = ["/tmp", "/var/tmp", "/run", "/home", "/root"]

# Name, and what stands before the program. bwrap's flags are what a sandbox of Guise has by default.
COMMANDS = [
    ("native", []),
    ("guise run", ["{guise}", "run", "--"]),
    ("guise run, sandboxed", ["{guise}", "run", "--personality", "sandboxed", "--"]),
    ("guise run, sandboxed, --no-shim", ["{guise}", "run", "--personality", "sandboxed", "--no-shim", "--"]),
    ("bwrap", [
        "bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev",
        *(word for path in _HIDDEN if os.path.isdir(path) for word in ("--tmpfs", path)), "--"
    ]),
    ("gVisor", ["runsc", "--rootless", "--network=none", "do", "-quiet"]),
]


def measure(guise, rounds, runs, progress):
    """{name: {"true": [[seconds, ...] of a round, ...]}}; a round runs all in turn, `runs` times each."""
    seconds = {}
    for number in range(rounds):
        progress(f"starts, round {number + 1} of {rounds}")
        for name, prefix in COMMANDS:
            if prefix and prefix[0] != "{guise}" and shutil.which(prefix[0]) is None:
                continue
            command = " ".join([guise if word == "{guise}" else word for word in prefix] + ["/bin/true"])
            with tempfile.NamedTemporaryFile(suffix=".json") as result:
                arguments = ["--shell=none", "--style=none", "--warmup=1", f"--runs={runs}", "--export-json", result.name]
                subprocess.run(["hyperfine", *arguments, command], check=True, cwd="/", stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
                times = json.load(result)["results"][0]["times"]
            seconds.setdefault(name, {}).setdefault("true", []).append(times)
    return seconds
