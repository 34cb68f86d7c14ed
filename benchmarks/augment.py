"""PRIME views a second, every image its own transformation, beside a copy of the same array.

Run ``python -m benchmarks.augment``; ``--corruptions`` for the 15 common corruptions, each image at a severity of its
own from 1 to 5, in place of PRIME; ``--json`` for machines. Contenders take turns; a figure is the median over
rounds with its quartiles, every round other plan indices. `TARGETS` are for two cores.
"""

import argparse
import itertools
import json
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import describe_machine, quartiles, time_in_turn
from kernels import backend, cpu
from pipeline.augment import AUGMENTATIONS, Draws
from pipeline.augment.corruption import NAMES

WORKLOADS = {"cifar": (32, 256), "imagenet": (224, 32)}
"""Preset -> side of its images, images in a batch."""
TARGETS = {"cifar": 20_000, "imagenet": 400}


def make_images(count: int, size: int) -> NDArray[np.float32]:
    """Return smooth random images whose pixels are multiples of 1/255, as decoded ones are."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 3, 8, 8))
    return (coarse.repeat(size // 8, axis=2).repeat(size // 8, axis=3) / 255).astype(np.float32)


def make_run(options: dict[str, Any], images: NDArray[np.float32], name: str = "prime") -> Callable[[], object]:
    """Return a function that makes one view of every image, of the next samples at each call."""
    stage_class = AUGMENTATIONS[name]
    stage = stage_class(stage_class.Options.model_validate(options), shape=images.shape[1:], kernels=backend("cpu"))
    labels = np.zeros(len(images), np.int64)
    numbers = itertools.count()

    def run() -> object:
        indices = np.arange(len(images), dtype=np.uint32) + next(numbers) * len(images)
        return stage.apply(images, labels, Draws(0, indices.astype(np.uint32), 1, 1 << 24))

    return run


def peak_memory(run: Callable[[], object], images: NDArray[np.float32]) -> float:
    """Return the most that a run holds at once, its images included, in batches."""
    tracemalloc.start()
    try:
        run()
        return 1 + tracemalloc.get_traced_memory()[1] / images.nbytes
    finally:
        tracemalloc.stop()


def measure(preset: str, rounds: int, count: int | None = None) -> list[dict[str, Any]]:
    """Time a preset, each of its primitives alone, and a copy; return a row for each."""
    size, batch = WORKLOADS[preset]
    images = make_images(count or batch, size)
    runs = {"prime": make_run({"preset": preset}, images)}
    for primitive in ("spectral", "spatial", "color"):
        runs[f"only {primitive}"] = make_run({"preset": preset, "primitives": [primitive]}, images)
    rows = time_rows(preset, images, runs, rounds)
    rows[0] |= {"target": TARGETS[preset], "memory_in_batches": peak_memory(runs["prime"], images)}
    return rows


def measure_corruptions(table: str, rounds: int, count: int | None = None) -> list[dict[str, Any]]:
    """Time each corruption, severities 1 to 5 drawn for each image, and a copy; return a row for each."""
    size, batch = WORKLOADS[table]
    images = make_images(count or batch, size)
    drawn = {"severity": {"uniform": [1, 5]}, "table": table}
    runs: dict[str, Callable[[], object]] = {
        name: make_run({"types": name, **drawn}, images, "corrupt") for name in NAMES
    }
    return time_rows(table, images, runs, rounds)


def time_rows(
    preset: str, images: NDArray[np.float32], runs: dict[str, Callable[[], object]], rounds: int
) -> list[dict[str, Any]]:
    """Time runs over `images`, and a copy of them, in turn; return a row for each."""
    seconds = time_in_turn(runs | {"copy": images.copy}, rounds)
    rows = []
    for name, times in seconds.items():
        fast, median, slow = quartiles(times)
        row: dict[str, Any] = {"preset": preset, "size": images.shape[-1], "batch": len(images), "what": name}
        row |= {"images_per_s": len(images) / median, "quartiles": [len(images) / slow, len(images) / fast]}
        rows.append(row)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the table or JSON to stdout; return 1 if a preset is slower than its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=cpu.get_num_threads())
    parser.add_argument("--corruptions", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    cpu.set_num_threads(options.threads)
    machine = {**describe_machine(), "threads": cpu.get_num_threads(), "baseline": cpu.BASELINE}
    measured = measure_corruptions if options.corruptions else measure
    rows = [row for preset in WORKLOADS for row in measured(preset, options.rounds)]
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    else:
        sys.stdout.write(format_table(machine, rows))
    return 1 if any(row["images_per_s"] < row["target"] for row in rows if "target" in row) else 0


def format_table(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the machine in one line and the rows as a table."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(f"{'preset':<9} {'size':>4} {'batch':>5}  {'what':<17} {'images/s':>10}   quartiles")
    for row in rows:
        low, high = row["quartiles"]
        extra = ""
        if "target" in row:
            extra = f"   target {row['target']:,}; memory {row['memory_in_batches']:.1f} batches"
        lines.append(
            f"{row['preset']:<9} {row['size']:>4} {row['batch']:>5}  {row['what']:<17} {row['images_per_s']:>10,.0f}   "
            f"{low:,.0f} to {high:,.0f}{extra}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
