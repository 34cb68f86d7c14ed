"""The bytes of a dataset do not depend on how wide the processor's vectors are."""

import os
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tests.jobs.generation.made import small_job, stored_bytes

# Every stage and encoding whose bytes are promised; svd alone is bound to its environment.
VIEWS = [
    "clean",
    {"prime": {"preset": "cifar"}},
    {"prime": {"preset": "imagenet-thesis"}},
    [{"radial": {"low": 2}}, {"dct": {"size": 8, "keep": "low"}}],
    "dct_flip",
    "phase_only",
]
GLIBC = "GLIBC_TUNABLES"
NARROW = "-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX512ER,-AVX512PF,-AVX512VBMI,-AVX512_VNNI"


def has_avx512():
    return "AVX512F" in np.show_config(mode="dicts")["SIMD Extensions"].get("found", []) or any(
        name.startswith("AVX512") or name == "X86_V4"
        for name in np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    )


def narrow_environment():
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    wide = [name for name in found if name.startswith("AVX512") or name == "X86_V4"]
    return os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(wide), GLIBC: f"glibc.cpu.hwcaps={NARROW}"}


@pytest.mark.skipif(not has_avx512(), reason="this processor has no AVX-512 to disable")
@pytest.mark.parametrize("encoding", ["png", "npy", "jpeg", "webp"])
def test_disabling_avx512_changes_no_byte(tmp_path, encoding):
    made = []
    for name, environment in (("wide", dict(os.environ)), ("narrow", narrow_environment())):
        out = tmp_path / name
        job = small_job(out, views=VIEWS, output={"encoding": encoding, "formats": ["webdataset", "ffcv"]})
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(job.resolved()))
        command = [sys.executable, "-m", "jobs.cli", "run", str(tmp_path / f"{name}.yaml")]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        made.append(stored_bytes(out))
    assert made[0] == made[1]
