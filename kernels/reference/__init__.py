"""Float64 NumPy, one function an equation: the truth that the other backends are compared with."""

from kernels.philox import normals, words
from kernels.reference.corruption_digital import scale_contrast
from kernels.reference.corruption_weather import brighten
from kernels.reference.frequency import dct_filter, dct_flip, phase_only, radial_filter, svd_filter
from kernels.reference.pixels import to_float, to_uint8
from kernels.reference.prime import mix, prime_views, random_filter, sine_field, smooth_color, warp

__all__ = [
    "brighten",
    "dct_filter",
    "dct_flip",
    "mix",
    "normals",
    "phase_only",
    "prime_views",
    "radial_filter",
    "random_filter",
    "scale_contrast",
    "sine_field",
    "smooth_color",
    "svd_filter",
    "to_float",
    "to_uint8",
    "warp",
    "words",
]
