"""What the checks need of this machine; without it they skip and say so."""

import platform
import shutil
import subprocess
from importlib.util import find_spec

import pytest


def _has_sanitizers() -> bool:
    paths = [
        subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libtsan.so", "libasan.so", "libubsan.so")
    ]
    return all("/" in path for path in paths)  # g++ repeats a name that it does not find


def _has_nvrtc() -> bool:
    try:
        from cuda.bindings import nvrtc
    except ImportError:
        return False
    try:
        return nvrtc.nvrtcVersion()[1] >= 12
    except RuntimeError:  # the bindings are there and the library is not
        return False


HAS_COMPILER = shutil.which("g++") is not None and platform.machine() == "x86_64"
needs_compiler = pytest.mark.skipif(
    not (HAS_COMPILER and _has_sanitizers()), reason="needs g++ with its sanitizers, on x86-64"
)
needs_nvrtc = pytest.mark.skipif(not _has_nvrtc(), reason="needs nvidia-cuda-nvrtc and cuda-bindings, as torch brings")
needs_cupy = pytest.mark.skipif(find_spec("cupy") is None, reason="needs CuPy (the dev extra has it); no GPU")
