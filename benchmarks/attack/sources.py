"""Class "sources": hostile folders, tars, Parquet, CIFAR and image files, each run as a job in a process of its own.

The inputs and what may come of each lie beside the tests of the sources; here they are run and counted.
"""

import glob
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.attack.attempt import HUNG, REFUSED, SAME, WRONG, Attempt
from tests.pipeline.sources.hostile import cases
from tests.pipeline.sources.hostile.case import MADE

HARNESS = "tests.pipeline.sources.hostile"


def sources(root: Path, seed: int, share: float) -> Iterator[Attempt]:
    """Yield an attempt for every hostile input."""
    draws = random.Random(f"{seed} sources")
    chosen = [case.name for case in cases(seed) if draws.random() < share]
    if not chosen:
        return
    only = [word for name in chosen for word in ("--only", glob.escape(name))]
    command = [sys.executable, "-m", HARNESS, str(root / "work"), "--seed", str(seed), *only]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        told = 0
        for line in harness.stdout:
            told += 1
            yield _attempt(json.loads(line))
    if told < len(chosen):
        yield Attempt("sources", chosen[told], "read", "run", HUNG, "the harness itself ended")


def _attempt(told: dict[str, object]) -> Attempt:
    name, faults = str(told["name"]), told["faults"]
    verdict = WRONG if faults else SAME if told["outcome"] == MADE else REFUSED
    said = "; ".join(map(str, faults)) if isinstance(faults, list) else ""
    return Attempt(f"sources: {name.partition('/')[0]}", name, "read", "run", verdict, said)
