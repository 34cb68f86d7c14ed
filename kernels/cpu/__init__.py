"""Float32 on the CPU: Numba for one common baseline of processors, and FFT library code."""

from passband.kernels.cpu.basis import add_basis
from passband.kernels.cpu.color import smooth_color
from passband.kernels.cpu.compile import BASELINE
from passband.kernels.cpu.corruption_blur import resample, shuffle_pixels, tap_filter
from passband.kernels.cpu.corruption_digital import pixelate, scale_contrast, separable_blur, warp_reflected
from passband.kernels.cpu.corruption_noise import gaussian_noise, impulse_noise, shot_noise
from passband.kernels.cpu.corruption_weather import brighten, plasma_fractal
from passband.kernels.cpu.exchange import (
    asarray,
    empty,
    environment,
    from_torch,
    host_words,
    to_host,
    to_torch,
    torch_device,
    torch_stream,
)
from passband.kernels.cpu.frequency import dct_filter, dct_flip, phase_only, radial_filter, svd_filter
from passband.kernels.cpu.mix import mix
from passband.kernels.cpu.philox import normals, words
from passband.kernels.cpu.pixels import to_float, to_uint8
from passband.kernels.cpu.prime import prime_views
from passband.kernels.cpu.sine import sine_field
from passband.kernels.cpu.spectral import (
    amplitude_gradient,
    amplitude_phase,
    amplitude_step,
    ascend_spectrum,
    fourier_basis,
    from_amplitude_phase,
    from_half_spectrum,
    half_spectrum,
    scale_spectrum,
    symmetric_noise,
    symmetric_signs,
)
from passband.kernels.cpu.stencil import random_filter
from passband.kernels.cpu.threads import for_ranges, get_num_threads, set_num_threads
from passband.kernels.cpu.warp import warp

__all__ = [
    "BASELINE",
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
    "prime_views",
    "radial_filter",
    "random_filter",
    "resample",
    "scale_contrast",
    "scale_spectrum",
    "separable_blur",
    "set_num_threads",
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
