"""Float32 on the CPU: Numba for one common baseline of processors, and FFT library code."""

from kernels.cpu.color import smooth_color
from kernels.cpu.compile import BASELINE
from kernels.cpu.corruption_digital import scale_contrast
from kernels.cpu.corruption_weather import brighten
from kernels.cpu.frequency import dct_filter, dct_flip, phase_only, radial_filter, svd_filter
from kernels.cpu.mix import mix
from kernels.cpu.philox import normals, words
from kernels.cpu.pixels import to_float, to_uint8
from kernels.cpu.prime import prime_views
from kernels.cpu.sine import sine_field
from kernels.cpu.stencil import random_filter
from kernels.cpu.threads import get_num_threads, set_num_threads
from kernels.cpu.warp import warp

__all__ = [
    "BASELINE",
    "brighten",
    "dct_filter",
    "dct_flip",
    "get_num_threads",
    "mix",
    "normals",
    "phase_only",
    "prime_views",
    "radial_filter",
    "random_filter",
    "scale_contrast",
    "set_num_threads",
    "sine_field",
    "smooth_color",
    "svd_filter",
    "to_float",
    "to_uint8",
    "warp",
    "words",
]
