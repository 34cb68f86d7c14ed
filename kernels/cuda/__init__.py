"""CuPy and CUDA C++, float32: the functions of `kernels.cpu` on a GPU.

Arrays of the host are accepted at the edge and copied; results are arrays of the device. Verified on the CPU through
the shim of ``tests/cuda_host``, compiled for sm_80, sm_90 and sm_100.
"""

from passband.kernels.cuda.arrays import asarray, empty, for_ranges, get_num_threads, host_words, to_host
from passband.kernels.cuda.basis import add_basis, fourier_basis
from passband.kernels.cuda.color import smooth_color
from passband.kernels.cuda.corruption_blur import resample, shuffle_pixels, tap_filter
from passband.kernels.cuda.corruption_digital import pixelate, scale_contrast, separable_blur
from passband.kernels.cuda.corruption_noise import gaussian_noise, impulse_noise, shot_noise
from passband.kernels.cuda.corruption_weather import brighten, plasma_fractal
from passband.kernels.cuda.dct import dct_filter, dct_flip
from passband.kernels.cuda.device import current
from passband.kernels.cuda.exchange import from_torch, to_torch, torch_device, torch_stream
from passband.kernels.cuda.frequency import phase_only, radial_filter, radial_rounded
from passband.kernels.cuda.mix import mix
from passband.kernels.cuda.philox import normals, words
from passband.kernels.cuda.pixels import to_float, to_uint8
from passband.kernels.cuda.polar import (
    amplitude_gradient,
    amplitude_phase,
    amplitude_step,
    from_amplitude_phase,
    symmetric_noise,
    symmetric_signs,
)
from passband.kernels.cuda.prime import prime_rounded, prime_views
from passband.kernels.cuda.sine import sine_field
from passband.kernels.cuda.spectral import ascend_spectrum, from_half_spectrum, half_spectrum, scale_spectrum
from passband.kernels.cuda.stencil import random_filter
from passband.kernels.cuda.svd import svd_filter
from passband.kernels.cuda.warp import warp, warp_reflected


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
