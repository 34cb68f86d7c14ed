"""``python -m tests.pipeline.sources.hostile FOLDER [--seed N] [--only PATTERN]... [--fell] [--cards]``.

A JSON object a line for each case, as it ends: name, outcome, seconds, grown_bytes, faults. Exit status 1 if any has a
fault. FOLDER must be empty or absent; what a case leaves is removed once it is judged.
"""

import argparse
import fnmatch
import json
import sys
from pathlib import Path

from tests.pipeline.sources.hostile import FELL, cases
from tests.pipeline.sources.hostile.trial import Trials


def main(arguments: list[str] | None = None) -> int:
    """Run the cases that are asked for; return 1 if one has a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.pipeline.sources.hostile", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", metavar="PATTERN", help="names of cases, such as 'tar/*'")
    parser.add_argument("--fell", action="store_true", help="only those that broke something once")
    parser.add_argument("--cards", action="store_true", help="make the cards of the datasets too")
    options = parser.parse_args(arguments)
    trials, failed = Trials(options.folder, cards=options.cards), 0
    for case in cases(options.seed):
        named = any(fnmatch.fnmatchcase(case.name, pattern) for pattern in options.only or ["*"])
        if not named or (options.fell and case.name not in FELL):
            continue
        trial = trials.attempt(case)
        failed += bool(trial.faults)
        told = {
            "name": case.name,
            "outcome": trial.outcome,
            "seconds": round(trial.seconds, 2),
            "grown_bytes": trial.grown_bytes,
            "faults": trial.faults,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        trials.clear()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
