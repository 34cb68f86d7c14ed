"""Hold PRIME to its targets, which are for two cores.

Run ``python -m benchmarks.augment``; it measures two cases of ``passband bench augment``, the command for all others.
"""

import argparse
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.bench.augment import measure
from passband.jobs.bench.cases import default_batch, make_cases
from passband.jobs.bench.contender import repeated
from passband.jobs.bench.device import CpuDevice
from passband.jobs.bench.document import Document
from passband.jobs.bench.progress import BenchDisplay
from passband.jobs.bench.table import format_document
from passband.jobs.bench.timing import Run
from passband.jobs.bench.trial import Plan
from passband.jobs.common.screen import Log, Pace
from passband.kernels import cpu
from passband.pipeline.augment import AUGMENTATIONS

TARGETS = {("prime/cifar", 32): 20_000, ("prime/imagenet", 224): 400}
"""(case, side of its images) -> images a second."""


def make_run(options: dict[str, Any], images: NDArray[np.float32], name: str = "prime") -> Run:
    """Return a function that makes one view of every image, of the next samples at each call."""
    stage_class, (_, channels, height, width) = AUGMENTATIONS[name], images.shape
    resolved = stage_class.Options.model_validate(options)
    return repeated(stage_class(resolved, shape=(channels, height, width), kernels=cpu), images)


def measure_targets(rounds: int, batch: int | None = None) -> Document:
    """Time the cases that have a target, in turn."""
    cases = [
        case
        for name, size in TARGETS
        for case in make_cases([size], [name], batch=lambda side: batch or default_batch("cpu", side))
    ]
    return measure(Plan(cases, rounds), CpuDevice(), BenchDisplay(Log(Pace(10.0))))


def missed(document: Document) -> list[str]:
    """Return a line for each case that is slower than its target, or failed."""
    rates = {(row.name, row.size): row.images_per_s.median if row.images_per_s else 0.0 for row in document.rows}
    return [
        f"{name} at {size} px: {rates[name, size]:,.0f} images/s, target {target:,}"
        for (name, size), target in TARGETS.items()
        if rates[name, size] < target
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the table or JSON to stdout; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    document = measure_targets(options.rounds)
    sys.stdout.write((document.model_dump_json(indent=1) if options.json else format_document(document, 100)) + "\n")
    behind = missed(document)
    sys.stderr.writelines(f"{line}\n" for line in behind)
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main())
