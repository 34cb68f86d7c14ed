"""Array math of the augmentations: arrays and drawn parameters in, arrays out.

Three packages expose the same functions with the same signatures: ``reference`` (float64 NumPy, the truth that
tests compare with), ``cpu`` (Numba and FFT library code, float32) and ``cuda`` (CUDA C++ and CuPy, float32). Beside
them ``cpu.huffman`` walks the coded bytes of JPEG files, which needs compiled code too.
"""

import importlib
from types import ModuleType

BACKENDS = ("cpu", "cuda")


def backend(name: str) -> ModuleType:
    """Return the package of kernels called `name`; raise ValueError for a name that is not in `BACKENDS`."""
    if name not in (*BACKENDS, "reference"):
        raise ValueError(f"no backend {name!r}: this version has {', '.join(BACKENDS)}")
    return importlib.import_module(f"passband.kernels.{name}")
