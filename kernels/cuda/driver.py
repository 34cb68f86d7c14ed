"""Whether there is a GPU, asked of the driver alone: to import CuPy takes a second and makes its folder in the home."""

import ctypes

_DRIVER = "libcuda.so.1"  # what the CUDA runtime inside CuPy opens too


def missing_gpu() -> str | None:
    """Return why no CUDA device can be used, None where there is one."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return f"there is no NVIDIA driver ({_DRIVER} is not found)"
    count = ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if failed:
        return f"the NVIDIA driver finds none (CUDA error {failed})"
    return None if count.value else "the NVIDIA driver finds none"
