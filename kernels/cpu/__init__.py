"""Float32 on the CPU: Numba for one common baseline of processors, and FFT library code."""

from kernels.cpu.compile import BASELINE
from kernels.cpu.philox import normals, words
from kernels.cpu.threads import get_num_threads, set_num_threads

__all__ = ["BASELINE", "get_num_threads", "normals", "set_num_threads", "words"]
