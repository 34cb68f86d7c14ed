"""The bytes of a dataset do not depend on how wide the processor's vectors are."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.jobs.generation.made import small_job, stored_bytes

# Every stage and encoding whose bytes are promised; svd and augmix are bound to their environment.
VIEWS = [
    "clean",
    {"prime": {"preset": "cifar"}},
    {"prime": {"preset": "imagenet-thesis"}},
    [{"radial": {"low": 2}}, {"dct": {"size": 8, "keep": "low"}}],
    "dct_flip",
    "phase_only",
]
CORRUPTED = [
    {"corrupt": {"types": "all", "severity": {"uniform": [1, 5]}, "table": table}}
    for table in ("cifar", "tiny", "imagenet")
]
GLIBC = "GLIBC_TUNABLES"
NARROW = "-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512ER,-AVX512PF,-AVX512VBMI,-AVX512_VNNI"


def wide_features():
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    return [name for name in found if name.startswith("AVX512") or name == "X86_V4"]


def narrow_environment():
    return os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(wide_features()), GLIBC: f"glibc.cpu.hwcaps={NARROW}"}


@pytest.mark.slow
@pytest.mark.skipif(not wide_features(), reason="this processor has no AVX-512 to disable")
@pytest.mark.parametrize("encoding", ["png", "npy", "jpeg", "webp"])
def test_disabling_avx512_changes_no_byte(tmp_path, encoding):
    children, views = {}, VIEWS + CORRUPTED if encoding == "png" else VIEWS
    for name, environment in (("wide", dict(os.environ)), ("narrow", narrow_environment())):
        job = small_job(tmp_path / name, views=views, output={"encoding": encoding, "formats": ["webdataset", "ffcv"]})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(job.resolved()))
        command = [sys.executable, "-m", "passband", "run", str(tmp_path / f"{name}.yaml")]
        children[name] = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for child in children.values():
        _, errors = child.communicate()
        assert child.returncode == 0, errors
    assert stored_bytes(tmp_path / "wide") == stored_bytes(tmp_path / "narrow")
