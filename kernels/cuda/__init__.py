"""CuPy and CUDA C++, float32: the functions of `kernels.cpu` on a GPU.

Arrays of the host are accepted at the edge and copied; results are arrays of the device. Verified on the CPU through
the shim of ``tests/cuda_host``, compiled for sm_80, sm_90 and sm_100.
"""

from kernels.cuda.arrays import asarray, empty, for_ranges, get_num_threads, host_words, to_host
from kernels.cuda.basis import add_basis, fourier_basis
from kernels.cuda.color import smooth_color
from kernels.cuda.corruption_blur import resample, shuffle_pixels, tap_filter
from kernels.cuda.corruption_digital import pixelate, scale_contrast, separable_blur
from kernels.cuda.corruption_noise import gaussian_noise, impulse_noise, shot_noise
from kernels.cuda.corruption_weather import brighten, plasma_fractal
from kernels.cuda.dct import dct_filter, dct_flip
from kernels.cuda.device import current
from kernels.cuda.exchange import from_torch, to_torch, torch_device, torch_stream
from kernels.cuda.frequency import phase_only, radial_filter, radial_rounded
from kernels.cuda.mix import mix
from kernels.cuda.philox import normals, words
from kernels.cuda.pixels import to_float, to_uint8
from kernels.cuda.polar import (
    amplitude_gradient,
    amplitude_phase,
    amplitude_step,
    from_amplitude_phase,
    symmetric_noise,
    symmetric_signs,
)
from kernels.cuda.prime import prime_rounded, prime_views
from kernels.cuda.sine import sine_field
from kernels.cuda.spectral import ascend_spectrum, from_half_spectrum, half_spectrum, scale_spectrum
from kernels.cuda.stencil import random_filter
from kernels.cuda.svd import svd_filter
from kernels.cuda.warp import warp, warp_reflected


def environment() -> dict[str, str]:
    """Return what the bits of results depend on: the device's kind, and versions of compiler and libraries."""
    return current().environment()


__all__ = [
    "add_basis",
    "amplitude_gradient",
    "amplitude_phase",
    "amplitude_step",
    "asarray",
    "ascend_spectrum",
    "brighten",
    "dct_filter",
    "dct_flip",
    "empty",
    "environment",
    "for_ranges",
    "fourier_basis",
    "from_amplitude_phase",
    "from_half_spectrum",
    "from_torch",
    "gaussian_noise",
    "get_num_threads",
    "half_spectrum",
    "host_words",
    "impulse_noise",
    "mix",
    "normals",
    "phase_only",
    "pixelate",
    "plasma_fractal",
    "prime_rounded",
    "prime_views",
    "radial_filter",
    "radial_rounded",
    "random_filter",
    "resample",
    "scale_contrast",
    "scale_spectrum",
    "separable_blur",
    "shot_noise",
    "shuffle_pixels",
    "sine_field",
    "smooth_color",
    "svd_filter",
    "symmetric_noise",
    "symmetric_signs",
    "tap_filter",
    "to_float",
    "to_host",
    "to_torch",
    "to_uint8",
    "torch_device",
    "torch_stream",
    "warp",
    "warp_reflected",
    "words",
]
