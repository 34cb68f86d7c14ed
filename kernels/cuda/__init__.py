"""CuPy and CUDA C++, float32: the functions of `kernels.cpu` on a GPU.

Arrays of the host are accepted at the edge and copied; results are arrays of the device. Verified on the CPU through
the shim of ``tests/cuda_host``, compiled for sm_80, sm_90 and sm_100.
"""

from kernels.cuda.color import smooth_color
from kernels.cuda.philox import normals, words
from kernels.cuda.pixels import to_float, to_uint8

__all__ = [
    "normals",
    "smooth_color",
    "to_float",
    "to_uint8",
    "words",
]
