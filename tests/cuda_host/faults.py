"""Run kernels of `faults.cu` under a sanitizer: ``python -m tests.cuda_host.faults address NAME ...``.

Each runs in a process of its own, in every order of threads, until a sanitizer ends it. On standard error: a line
``== name``, then the sanitizer's report or ``clean``.
"""

import os
import re
import sys
from pathlib import Path

import numpy as np

from tests.cuda_host.array import as_host
from tests.cuda_host.build import build
from tests.cuda_host.kernel import HostKernel

THREADS, SEEDS = 64, (0, 1, 2)
BLOCKS = {"blocks_collide": 2}
SIGNATURE = r'extern "C" __global__ void \1(const float* x, float* y)'


def text() -> str:
    """Return the source; every kernel there has the one signature."""
    return re.sub(r"^K\((\w+)\)", SIGNATURE, Path(__file__).with_name("faults.cu").read_text(), flags=re.MULTILINE)


def outcome(name: str, seed: int, sanitizer: str = "") -> list[float] | str:
    """Return what the kernel wrote, or the message that refused it."""
    x, y = (as_host(np.arange(start, start + THREADS, dtype=np.float32)) for start in (1, 1000))
    kernel = HostKernel(build(text(), (), sanitizer), name)
    try:
        kernel((BLOCKS.get(name, 1),), (THREADS,), (x, y), shared_mem=4 * THREADS, seed=seed)
    except RuntimeError as error:
        return str(error)
    return y.tolist()


def report(name: str, sanitizer: str) -> None:
    """Write what the sanitizer says of a kernel."""
    print(f"== {name}", file=sys.stderr, flush=True)
    child = os.fork()  # imports once for all, and a report ends the child alone
    if not child:
        for seed in SEEDS:
            outcome(name, seed, sanitizer)
        print("clean", file=sys.stderr, flush=True)
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    sanitizer, *names = sys.argv[1:]
    for name in names:
        report(name, sanitizer)
