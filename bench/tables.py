"""Markdown tables of seconds: a row for what was measured, a column for how."""

import statistics


def _show(seconds):
    for limit, scale, unit in ((1e-5, 1e9, "ns"), (1e-2, 1e6, "us"), (10, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * scale:.{0 if unit == 'ns' else 1}f} {unit}"
    return f"{seconds:.1f} s"


def _p99(times):
    """The 99th percentile; of fewer than a hundred times the longest."""
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


def _ratio(rounds, native):
    """The median of the rounds' ratios, a round's being that of its minima: what a machine does in one minute and not in
    another then falls out."""
    return statistics.median(min(times) / min(base) for times, base in zip(rounds, native))


def of_seconds(what, seconds):
    """seconds: {mode: {row: [[seconds, ...] of a round, ...]}}, the first mode being native, which has all rounds; the
    rounds of another are the first of those. A mode without a row has an empty cell."""
    modes = list(seconds)
    native = seconds[modes[0]]
    lines = ["| " + " | ".join([what, *modes]) + " |", "|---" * (len(modes) + 1) + "|"]
    for row, base in native.items():
        cells = []
        for mode in modes:
            rounds = seconds[mode].get(row)
            if not rounds:
                cells.append("")
                continue
            times = [time for one in rounds for time in one]
            cell = f"{_show(min(times))} / {_show(statistics.median(times))} / {_show(_p99(times))}"
            cells.append(cell if mode == modes[0] else f"{cell}, **{_ratio(rounds, base):.2f}x**")
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return lines
