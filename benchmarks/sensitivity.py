"""Sensitivity maps against the bare forward passes of the surrogate that they consist of.

Run ``python -m benchmarks.sensitivity``; ``--json`` for machines. A block of frequencies and as many forward passes of
the same batches, without noise, signs and counting, run in turn on the same threads; the share is the median over
rounds of (bare passes / block in the same round), with its quartiles, and should be at least `ALLOWED`.
"""

import argparse
import json
import sys
from typing import Any

import numpy as np

from benchmarks.timing import describe_machine, quartiles, time_in_turn
from passband.jobs.analysis.counting import Subject, count_wrong
from passband.kernels import cpu
from passband.kernels.cpu.threads import for_ranges
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from passband.pipeline.surrogate.loading import load_surrogate
from passband.pipeline.surrogate.model import Surrogate
from passband.pipeline.surrogate.options import SurrogateOptions

ALLOWED = 0.9
SIDE, BATCH = 32, 64
NETWORKS = ("convnet", "lenet")
CLASSES = [str(label) for label in range(10)]


def surrogate_of(kind: str) -> Surrogate:
    """Return a network with drawn weights: what it answers costs nothing more or less than what a trained one does."""
    given = {"kind": kind, "shape": [3, SIDE, SIDE], "classes": CLASSES, "mean": [0.5] * 3, "std": [0.25] * 3}
    content = network_bytes(build_network(NetworkSpec.model_validate(given), seed=0))
    options = SurrogateOptions.model_validate({"network": kind, "checkpoint": "drawn", "batch": BATCH})
    return load_surrogate(content, options, classes=CLASSES, shape=(3, SIDE, SIDE))


def measure(kind: str, passes: int, rounds: int) -> dict[str, Any]:
    """Time a block of at least `passes` forward passes of a network; return its row."""
    rng, count = np.random.default_rng(0), 512
    images, model = rng.random((count, 3, SIDE, SIDE), dtype=np.float32), surrogate_of(kind)
    subject = Subject(images, rng.integers(0, 10, count), np.arange(count, dtype=np.uint32), 1, model, 10)
    norms = np.full(len(subject.frequencies), 8.0)
    stop = -(-passes * BATCH // count)
    shares = []

    def block() -> None:
        found = count_wrong(subject, "original", norms, 0, stop)
        shares.append(found.model_seconds / (found.seconds * found.threads))

    def bare() -> None:
        for_ranges(lambda first, last: model.predict(images[:BATCH]), stop * count // BATCH)

    seconds = time_in_turn({"bare": bare, "block": block}, rounds, warmup=1)
    low, share, high = quartiles([a / b for a, b in zip(seconds["bare"], seconds["block"], strict=True)])
    median = quartiles(seconds["block"])[1]
    return {
        "network": kind,
        "passes": stop * count // BATCH,
        "images_per_s": stop * count / median,
        "share": share,
        "share_quartiles": [low, high],
        "share_by_clock": quartiles(shares)[1],
        "full_map_s": len(norms) * 4000 / (stop * count / median),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the table or JSON to stdout; return 1 if less than the allowed share is the model's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=32)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    machine = {**describe_machine(), "threads": cpu.get_num_threads()}
    rows = [measure(kind, options.passes, options.rounds) for kind in NETWORKS]
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine, "size": SIDE, "batch": BATCH, "rows": rows}, indent=1) + "\n")
    else:
        sys.stdout.write(format_table(machine, rows))
    return 1 if any(row["share_by_clock"] < ALLOWED for row in rows) else 0


def format_table(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the machine in one line and the rows as a table."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(f"{'network':<9} {'images/s':>9} {'4,000 images':>13}   by clock   against bare passes (quartiles)")
    for row in rows:
        low, high = row["share_quartiles"]
        lines.append(
            f"{row['network']:<9} {row['images_per_s']:>9,.0f} {row['full_map_s']:>11,.0f} s"
            f"   {row['share_by_clock']:>8.1%}   {row['share']:.2f} ({low:.2f} to {high:.2f})"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
