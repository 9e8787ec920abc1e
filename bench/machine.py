"""What a machine is, as far as figures depend on it."""

import os
import platform


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def facts():
    cpuinfo = _read("/proc/cpuinfo")
    models = [line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    flags = cpuinfo.split()
    vulnerabilities = "/sys/devices/system/cpu/vulnerabilities"
    names = sorted(os.listdir(vulnerabilities)) if os.path.isdir(vulnerabilities) else []
    states = {name: _read(os.path.join(vulnerabilities, name)) for name in names}
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": models[0] if models else "unknown",
        "cpus": os.cpu_count(),
        "virtual": "hypervisor" in flags,
        "fsgsbase": "fsgsbase" in flags,
        "mitigations": {name: state for name, state in states.items() if state.startswith("Mitigation")},
    }


def text(machine):
    mitigations = "; ".join(f"{name}: {state.split(': ', 1)[1]}" for name, state in machine["mitigations"].items())
    return (f"{machine['kernel']}, {machine['cpu']}, {machine['cpus']} CPUs"
            f"{' of a virtual machine' if machine['virtual'] else ''}, "
            f"{'with' if machine['fsgsbase'] else 'without'} FSGSBASE; mitigations: {mitigations or 'none'}.")
