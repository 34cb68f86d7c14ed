"""Time contenders in turn, in one process, so that what slows the machine down slows all of them."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Clock = Callable[[], float]
"""Seconds since some moment."""
Run = Callable[[], Any]


def time_in_turn(
    contenders: Mapping[str, Run],
    rounds: int,
    warmup: int = 2,
    *,
    clock: Clock = time.perf_counter,
    after: Callable[[str], None] = lambda name: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, list[float]]:
    """Return the seconds that each contender took in each round; every round runs each of them once, in order.

    Parameters
    ----------
    after : callable
        Told the name of each contender once it has run, also in the rounds that warm up.
    stopped : callable
        Asked before each run; once it says so, what was timed so far is returned.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warmup + rounds):
        for name, run in contenders.items():
            if stopped():
                return seconds
            begun = clock()
            run()
            if number >= warmup:
                seconds[name].append(clock() - begun)
            after(name)
    return seconds


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third quartile."""
    first, median, third = np.percentile(values, (25, 50, 75))
    return float(first), float(median), float(third)
