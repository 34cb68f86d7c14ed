"""Draws and PRIME's bits do not depend on the width of the processor's vectors: a child without AVX-512."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from passband.kernels import backend, cpu, philox
from passband.pipeline.augment import AUGMENTATIONS, Draws

WIDE = [name for name in __cpu_dispatch__ if name == "X86_V4" or name.startswith("AVX512")]
TUNABLES = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-AVX512BW,-AVX512CD,-AVX2,-AVX2_Usable,-FMA,-FMA_Usable"


def digest_results():
    """Return a hash of views, parameters and normals for each preset, a line each."""
    prime, lines = AUGMENTATIONS["prime"], []
    for preset, shape in (
        ("cifar", (24, 3, 32, 32)),
        ("imagenet", (4, 3, 224, 224)),
        ("cifar-thesis", (8, 3, 29, 31)),
        ("imagenet-thesis", (4, 1, 40, 64)),
        ("filling-shape", (8, 3, 28, 28)),
        ("filling-colour", (8, 3, 28, 28)),
    ):
        images = (np.random.default_rng(0).integers(0, 256, shape) / 255).astype(np.float32)
        draws = Draws(2**63 + 5, np.arange(shape[0], dtype=np.uint32), 1, 1 << 24)
        stage = prime(prime.Options.model_validate({"preset": preset}), shape=shape[1:], kernels=backend("cpu"))
        result = stage.apply(images, np.zeros(shape[0], np.int64), draws)
        for array in (result.images, *result.recorded.values()):
            lines.append(f"{preset} {hashlib.sha256(array.tobytes()).hexdigest()}")
    for normals in (cpu.normals, philox.normals):
        drawn = normals(7, np.arange(50, dtype=np.uint32), 1, 2, 999)
        lines.append(f"normals {hashlib.sha256(drawn.tobytes()).hexdigest()}")
    return "\n".join(lines)


def report():
    """Write the features that NumPy uses, then the digests."""
    sys.stdout.write(" ".join(name for name, on in __cpu_features__.items() if on) + "\n" + digest_results())


@pytest.mark.skipif(not WIDE, reason="this NumPy has no AVX-512 code: not an x86-64 build")
def test_disabling_avx512_changes_no_bit():
    if not __cpu_features__.get(WIDE[0]):
        pytest.skip("this processor has no AVX-512")
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(WIDE), "GLIBC_TUNABLES": TUNABLES}
    command = [sys.executable, "-c", "from tests.kernels import test_prime_bits as t; t.report()"]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert child.returncode == 0, child.stderr
    features, _, digests = child.stdout.partition("\n")
    assert not set(WIDE) & set(features.split())
    assert digests.splitlines() == digest_results().splitlines()
