"""The filters' bits do not depend on the width of the processor's vectors: child processes with features turned off."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_baseline__, __cpu_dispatch__, __cpu_features__

from passband.kernels import cpu

WIDE = [name for name in __cpu_dispatch__ if name == "X86_V4" or name.startswith("AVX512")]
WIDER_THAN_BASELINE = [name for name in __cpu_dispatch__ if name not in __cpu_baseline__]


def digest_results() -> str:
    """Return a hash of what every filter makes of images of several sizes, a name and a hash a line."""
    lines = []
    for shape in ((5, 3, 32, 32), (2, 3, 224, 224), (3, 2, 31, 29), (2, 1, 97, 101), (2, 3, 7, 1)):
        rng = np.random.default_rng(shape[2])
        pixels = rng.integers(0, 256, (shape[0], *shape[2:], shape[1]), np.uint8)
        images = cpu.to_float(pixels)
        size = (min(shape[2:]) + 1) // 2
        results = {
            "low": cpu.radial_filter(images, 0, 5),
            "high": cpu.radial_filter(images, 5, math.inf),
            "dct low": cpu.dct_filter(images, size, "low"),
            "dct high": cpu.dct_filter(images, size, "high"),
            "dct flip": cpu.dct_flip(images),
            "phase only": cpu.phase_only(images),
            "float": images,
        }
        results |= {f"{name}, rounded": cpu.to_uint8(result) for name, result in results.items()}
        lines += [f"{shape} {name} {hashlib.sha256(result.tobytes()).hexdigest()}" for name, result in results.items()]
    return "\n".join(lines)


def run_child(disabled: list[str], tunables: str) -> tuple[list[str], str]:
    """Return which of `disabled` NumPy still uses in a child, and the child's digests."""
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(disabled), "GLIBC_TUNABLES": tunables}
    command = "from tests.kernels import test_frequency_bits as t; t.report()"
    child = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True, timeout=240
    )
    assert child.returncode == 0, child.stderr
    features, _, digests = child.stdout.partition("\n")
    return [name for name in disabled if name in features.split()], digests.strip()


def report() -> None:
    """Write the features in use and the digests to stdout, for `run_child`."""
    used = " ".join(name for name, on in __cpu_features__.items() if on)
    sys.stdout.write(f"{used}\n{digest_results()}\n")


@pytest.mark.skipif(not WIDE, reason="this NumPy has no AVX-512 code: not an x86-64 build")
@pytest.mark.parametrize(
    ("disabled", "tunables"),
    [
        (WIDE, "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-AVX512BW,-AVX512CD"),
        (WIDER_THAN_BASELINE, "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX2_Usable,-FMA,-FMA_Usable,-FMA4"),
    ],
    ids=["without AVX-512", "NumPy and libm at their baseline"],
)
def test_bits_do_not_depend_on_vector_width(disabled, tunables):
    if not all(__cpu_features__.get(name) for name in WIDE[:1]):
        pytest.skip("this processor has no AVX-512")
    still_used, digests = run_child(disabled, tunables)
    assert still_used == []
    assert digests.splitlines() == digest_results().splitlines()


def test_svd_does_not_depend_on_the_threads_of_blas():
    """LAPACK's bits change with its threads (seen at 224 pixels), so it gets one, however many it is offered."""
    script = (
        "import hashlib, numpy as np; from passband.kernels import cpu; "
        "x = np.random.default_rng(0).random((2, 3, 224, 224), dtype=np.float32); "
        "print(hashlib.sha256(cpu.svd_filter(x, 50, 'leading').tobytes()).hexdigest())"
    )
    digests = [
        subprocess.check_output([sys.executable, "-c", script], env={**os.environ, "OPENBLAS_NUM_THREADS": threads})
        for threads in ("1", "2")
    ]
    assert digests[0] == digests[1]
