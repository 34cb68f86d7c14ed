"""What the kernels ask of their arguments; every backend refuses the same calls with the same sentence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_images(images: Any) -> None:
    """Raise ValueError unless `images` is (N, C, H, W) of floats with C, H, W >= 1."""
    if not isinstance(images, np.ndarray) or images.dtype.kind != "f":
        raise ValueError(f"images: needs a floating-point array, got {_kind(images)}")
    if images.ndim != 4 or min(images.shape[1:]) < 1:
        raise ValueError(f"images: needs shape (N, C, H, W) with C, H, W >= 1, got {images.shape}")


def check_shape(name: str, array: Any, *shape: int | None) -> None:
    """Raise ValueError unless `array` has this shape (None: any length)."""
    given = np.shape(array)
    if len(given) != len(shape) or any(want not in (None, have) for want, have in zip(shape, given, strict=True)):
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name}: needs shape ({wanted}), got {given}")


def check_sine_modes(coefficients: NDArray[Any], height: int, width: int) -> None:
    """Raise ValueError unless the modes of `coefficients` are distinct on this grid."""
    check_shape("coefficients", coefficients, None, 2, None, None)
    modes = coefficients.shape[2:]
    limit = max(height - 2, 0), max(width - 2, 0)
    if height < 1 or width < 1 or modes[0] > limit[0] or modes[1] > limit[1]:
        raise ValueError(f"coefficients: {modes} modes, a {height} x {width} grid has {limit} (fold the rest)")


def check_float32(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return `images` contiguous, checked as `check_images` and for float32."""
    check_images(images)
    if images.dtype != np.float32:
        raise ValueError(f"images: needs float32, got {images.dtype}")
    return writable(images)


def writable(array: Any, dtype: Any = np.float32) -> NDArray[Any]:
    """Return a C-contiguous array of `dtype` that is not marked read-only, the array itself where it is one.

    Numba compiles a second version for read-only arrays, so those few are copied; kernels modify no input.
    """
    return np.require(array, dtype, ("C", "W"))


def _kind(value: Any) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__
