"""Float64 NumPy, one function an equation: the truth that the other backends are compared with."""

from kernels.philox import normals, words
from kernels.reference.prime import mix, prime, random_filter, sine_field, smooth_color, warp

__all__ = ["mix", "normals", "prime", "random_filter", "sine_field", "smooth_color", "warp", "words"]
