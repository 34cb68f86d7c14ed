"""``python -m benchmarks.attack [--seed N] [--share S] [--only CLASS] [--output FILE]``; status 1 if anything fell."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.attack.attempt import Attempt, Tally
from benchmarks.attack.damage import damage
from benchmarks.attack.jobfiles import job_files
from benchmarks.attack.report import markdown
from benchmarks.attack.resources import resources
from benchmarks.attack.signals import signals
from benchmarks.attack.sources import sources

CLASSES: dict[str, Callable[[Path, int, float], Iterator[Attempt]]] = {
    "signals": signals,
    "damage": damage,
    "job-files": job_files,
    "resources": resources,
    "sources": sources,
}


def attack(root: Path, seed: int, share: float, classes: list[str]) -> Tally:
    """Make the attempts of `classes` in a folder, telling each that fails as it comes."""
    tally = Tally()
    for name in classes:
        folder = root / name
        folder.mkdir()
        for attempt in CLASSES[name](folder, seed, share):
            tally.add(attempt)
            if attempt.failed:
                sys.stderr.write(
                    f"{attempt.verdict}: {attempt.target}: {attempt.action}: {attempt.reader}: {attempt.told}\n"
                )
            elif tally.attempts % 500 == 0:
                sys.stderr.write(f"{tally.attempts:,} attempts, {len(tally.failures)} failed\n")
    return tally


def main(arguments: list[str] | None = None) -> int:
    """Attack, write the table; return 1 if anything did not stand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the attempts, drawn by the seed")
    parser.add_argument("--only", choices=sorted(CLASSES), action="append")
    parser.add_argument("--output", type=Path, help="a Markdown file")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="passband-attack-") as name:
        tally = attack(Path(name), options.seed, options.share, options.only or list(CLASSES))
    table = markdown(tally, options.seed, options.share)
    sys.stdout.write(table)
    if options.output is not None:
        options.output.write_text(table)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
