"""The counts of an attack as a table."""

import time
from collections import Counter
from datetime import UTC, datetime

from benchmarks.attack.attempt import FAILURES, MENDED, REFUSED, SAME, Tally
from passband.jobs.bench.machine import describe_machine

_COLUMNS = (SAME, REFUSED, MENDED, *FAILURES)


def markdown(tally: Tally, seed: int, share: float) -> str:
    """Return the table: what was attacked, who looked, how often, and what came of it."""
    lines = [
        f"# Attack, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"`python -m benchmarks.attack --seed {seed} --share {share:g}`: {tally.attempts:,} attempts in "
        f"{(time.monotonic() - tally.begun) / 60:.0f} min, {len(tally.failures)} failed. {_machine()}.",
        "",
        f"| attacked | looked at by | attempts | {' | '.join(_COLUMNS)} |",
        f"|---|---|{'---:|' * (1 + len(_COLUMNS))}",
    ]
    total: Counter[str] = Counter()
    for (kind, reader), counter in sorted(tally.counts.items()):
        total += counter
        lines.append(_row(kind, reader, counter))
    lines.append(_row("all", "", total))
    lines += ["", *(f"- {a.verdict}: {a.target}: {a.action}: {a.reader}: {a.told}" for a in tally.failures)]
    return "\n".join(lines).rstrip() + "\n"


def _row(kind: str, reader: str, counter: Counter[str]) -> str:
    counts = " | ".join(str(counter[column] or "") for column in _COLUMNS)
    return f"| {kind} | {reader} | {counter.total()} | {counts} |"


def _machine() -> str:
    found = describe_machine()
    versions = ", ".join(f"{name} {found[name]}" for name in ("python", "numpy", "torch") if name in found)
    return f"{found['processor']}, {found['cpus']} CPUs, {versions}"
