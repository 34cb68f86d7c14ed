"""Frequency filters against the bare library calls that they are made of, and pixel conversion against a copy.

Run ``python -m benchmarks.frequency``; ``--json`` for machines. A ratio is the median over rounds of (filter / bare
call in the same round), with its quartiles; each frequency filter should stay below `ALLOWED`.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

from benchmarks.timing import describe_machine, quartiles, time_in_turn
from passband.kernels import cpu

ALLOWED = 1.3
BATCHES = {32: 512, 224: 16}
Run = Callable[[], object]


def bare_calls(images: np.ndarray, threads: int) -> dict[str, Run]:
    """Return the library calls over the whole batch that the filters are compared with."""

    def fft_pair() -> object:
        spectrum = scipy.fft.rfft2(images, workers=threads)
        return scipy.fft.irfft2(spectrum, s=images.shape[2:], workers=threads)

    def dct_pair() -> object:
        coefficients = scipy.fft.dctn(images, axes=(2, 3), norm="ortho", workers=threads)
        return scipy.fft.idctn(coefficients, axes=(2, 3), norm="ortho", workers=threads)

    return {
        "rfft2 + irfft2": fft_pair,
        "dctn + idctn": dct_pair,
        "svd": lambda: np.linalg.svd(images, full_matrices=False),
        "copy": images.copy,
    }


def filters(images: np.ndarray) -> dict[str, tuple[str, Run]]:
    """Return name -> (the bare call it is compared with, the filter on `images`)."""
    size = images.shape[2]
    pixels = cpu.to_uint8(images)
    fft, dct = "rfft2 + irfft2", "dctn + idctn"
    return {
        "radial low": (fft, lambda: cpu.radial_filter(images, 0, size / 4)),
        "radial high": (fft, lambda: cpu.radial_filter(images, size / 4, math.inf)),
        "radial band": (fft, lambda: cpu.radial_filter(images, size / 8, size / 4)),
        "phase_only": (fft, lambda: cpu.phase_only(images)),
        "dct low": (dct, lambda: cpu.dct_filter(images, size // 2, "low")),
        "dct high": (dct, lambda: cpu.dct_filter(images, size // 2, "high")),
        "dct_flip": (dct, lambda: cpu.dct_flip(images)),
        "svd": ("svd", lambda: cpu.svd_filter(images, size // 4, "leading")),
        "to_float": ("copy", lambda: cpu.to_float(pixels)),
        "to_uint8": ("copy", lambda: cpu.to_uint8(images)),
    }


def measure(size: int, count: int, rounds: int) -> list[dict[str, Any]]:
    """Time every filter on `count` images of `size` x `size` x 3; return a row for each."""
    images = np.random.default_rng(0).random((count, 3, size, size), dtype=np.float32)
    bare, tried = bare_calls(images, cpu.get_num_threads()), filters(images)
    rows = []
    for name, (against, run) in tried.items():
        # LAPACK takes ten times as long as the rest.
        seconds = time_in_turn(
            {against: bare[against], name + " ": run}, max(3, rounds // 5) if name == "svd" else rounds
        )
        theirs, ours = seconds[against], seconds[name + " "]
        low, ratio, high = quartiles([a / b for a, b in zip(ours, theirs, strict=True)])
        median = quartiles(ours)[1]
        rows.append(
            {
                "size": size,
                "filter": name,
                "against": against,
                "ms": 1e3 * median,
                "images_per_s": count / median,
                "bare_ms": 1e3 * quartiles(theirs)[1],
                "ratio": ratio,
                "ratio_quartiles": [low, high],
            }
        )
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the table or JSON to stdout; return 1 if a frequency filter is slower than allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    machine = {**describe_machine(), "threads": cpu.get_num_threads()}
    rows = [row for size, count in BATCHES.items() for row in measure(size, count, options.rounds)]
    if options.json:
        sys.stdout.write(json.dumps({"machine": machine, "batches": BATCHES, "rows": rows}, indent=1) + "\n")
    else:
        sys.stdout.write(format_table(machine, rows))
    slow = [row for row in rows if row["against"] in ("rfft2 + irfft2", "dctn + idctn") and row["ratio"] > ALLOWED]
    return 1 if slow else 0


def format_table(machine: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the machine in one line and the rows as a table."""
    lines = [", ".join(f"{key} {value}" for key, value in machine.items()), ""]
    lines.append(
        f"{'size':>4}  {'filter':<12} {'images/s':>10} {'ms':>8}   {'bare call':<15} {'ms':>8}   ratio (quartiles)"
    )
    for row in rows:
        low, high = row["ratio_quartiles"]
        lines.append(
            f"{row['size']:>4}  {row['filter']:<12} {row['images_per_s']:>10,.0f} {row['ms']:>8.2f}   "
            f"{row['against']:<15} {row['bare_ms']:>8.2f}   {row['ratio']:.2f} ({low:.2f} to {high:.2f})"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
