"""Float32 on the CPU: Numba for one common baseline of processors, and FFT library code."""

from kernels.cpu.compile import BASELINE
from kernels.cpu.frequency import dct_filter, dct_flip, phase_only, radial_filter, svd_filter
from kernels.cpu.philox import normals, words
from kernels.cpu.pixels import to_float, to_uint8
from kernels.cpu.threads import get_num_threads, set_num_threads

__all__ = [
    "BASELINE",
    "dct_filter",
    "dct_flip",
    "get_num_threads",
    "normals",
    "phase_only",
    "radial_filter",
    "set_num_threads",
    "svd_filter",
    "to_float",
    "to_uint8",
    "words",
]
