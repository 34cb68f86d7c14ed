"""Float64 NumPy, one function an equation: the truth that the other backends are compared with.

Where the contract says float32, functions of this package take arrays of any float, and give float64.
"""

from passband.kernels.philox import normals, words
from passband.kernels.philox import words as host_words
from passband.kernels.reference.basis import add_basis
from passband.kernels.reference.corruption_blur import resample, shuffle_pixels, tap_filter
from passband.kernels.reference.corruption_digital import pixelate, scale_contrast, separable_blur, warp_reflected
from passband.kernels.reference.corruption_noise import gaussian_noise, impulse_noise, shot_noise
from passband.kernels.reference.corruption_weather import brighten, plasma_fractal
from passband.kernels.reference.frequency import dct_filter, dct_flip, phase_only, radial_filter, svd_filter
from passband.kernels.reference.pixels import to_float, to_uint8
from passband.kernels.reference.prime import mix, prime_views, random_filter, sine_field, smooth_color, warp
from passband.kernels.reference.spectral import (
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

__all__ = [
    "add_basis",
    "amplitude_gradient",
    "amplitude_phase",
    "amplitude_step",
    "ascend_spectrum",
    "brighten",
    "dct_filter",
    "dct_flip",
    "fourier_basis",
    "from_amplitude_phase",
    "from_half_spectrum",
    "gaussian_noise",
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
    "shot_noise",
    "shuffle_pixels",
    "sine_field",
    "smooth_color",
    "svd_filter",
    "symmetric_noise",
    "symmetric_signs",
    "tap_filter",
    "to_float",
    "to_uint8",
    "warp",
    "warp_reflected",
    "words",
]
