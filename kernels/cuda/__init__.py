"""CuPy and CUDA C++, float32: the functions of `kernels.cpu` on a GPU.

Arrays of the host are accepted at the edge and copied; results are arrays of the device. Verified on the CPU through
the shim of ``tests/cuda_host``, compiled for sm_80, sm_90 and sm_100.
"""

from kernels.cuda.color import smooth_color
from kernels.cuda.corruption_digital import pixelate, scale_contrast, separable_blur
from kernels.cuda.corruption_noise import gaussian_noise, impulse_noise, shot_noise
from kernels.cuda.corruption_weather import brighten, plasma_fractal
from kernels.cuda.philox import normals, words
from kernels.cuda.pixels import to_float, to_uint8

__all__ = [
    "brighten",
    "gaussian_noise",
    "impulse_noise",
    "pixelate",
    "plasma_fractal",
    "scale_contrast",
    "separable_blur",
    "shot_noise",
    "normals",
    "smooth_color",
    "to_float",
    "to_uint8",
    "words",
]
