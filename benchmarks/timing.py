"""Time contenders in turn, in one process, so that what slows the machine down slows all of them."""

import platform
import time
from collections.abc import Callable

import numpy as np

from jobs.executors.choice import usable_cpus
from jobs.generation.environment import processor


def time_in_turn(contenders: dict[str, Callable[[], object]], rounds: int, warmup: int = 2) -> dict[str, list[float]]:
    """Return the seconds that each contender took in each round; every round runs each of them once, in order."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warmup + rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if number >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the first quartile, the median and the third quartile."""
    first, median, third = np.percentile(values, (25, 50, 75))
    return float(first), float(median), float(third)


def describe_machine() -> dict[str, str | int]:
    """Return the processor, how many CPUs may be used, and the versions that matter to a timing."""
    import numba
    import scipy

    return {
        "processor": processor(),
        "cpus": usable_cpus(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
    }
