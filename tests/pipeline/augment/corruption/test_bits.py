"""No corruption's bits depend on the width of the processor's vectors: a child without AVX-512, as for PRIME."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_features__

from passband.pipeline.augment.corruption import NAMES
from tests.kernels.test_prime_bits import TUNABLES, WIDE
from tests.pipeline.augment.corruption.pictures import corrupt


def digest_results():
    """Return a hash of every corruption at a severity of each table and two sizes, a line each."""
    lines = []
    for shape in ((3, 3, 32, 32), (2, 3, 61, 47)):
        images = (np.random.default_rng(0).integers(0, 256, shape) / 255).astype(np.float32)
        for name in NAMES:
            for table, severity in (("cifar", 5), ("tiny", 3), ("imagenet", 2)):
                digest = hashlib.sha256(corrupt(images, name, severity, table).tobytes()).hexdigest()
                lines.append(f"{shape} {name} {table} {digest}")
    return "\n".join(lines)


def report():
    """Write the features that NumPy uses, then the digests."""
    sys.stdout.write(" ".join(name for name, on in __cpu_features__.items() if on) + "\n" + digest_results())


@pytest.mark.skipif(not WIDE, reason="this NumPy has no AVX-512 code: not an x86-64 build")
def test_disabling_avx512_changes_no_bit():
    if not __cpu_features__.get(WIDE[0]):
        pytest.skip("this processor has no AVX-512")
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(WIDE), "GLIBC_TUNABLES": TUNABLES}
    command = [sys.executable, "-c", "from tests.pipeline.augment.corruption import test_bits as t; t.report()"]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert child.returncode == 0, child.stderr
    features, _, digests = child.stdout.partition("\n")
    assert not set(WIDE) & set(features.split())
    assert digests.splitlines() == digest_results().splitlines()
