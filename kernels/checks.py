"""What the kernels ask of their arguments; every backend refuses the same calls with the same sentence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.philox import check_address
from passband.kernels.prime_steps import COLOR, NOISE, SPATIAL, PrimeSteps

BORDERS = ("nearest", "mirror", "reflect")
"""What lies beyond an image, named as in scipy.ndimage."""


def check_images(images: Any) -> None:
    """Raise ValueError unless `images` is (N, C, H, W) of floats with C, H, W >= 1."""
    if not is_array(images) or images.dtype.kind != "f":
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


def check_frequencies(frequencies: Any, count: int) -> NDArray[np.integer]:
    """Return `frequencies` as an array; raise ValueError unless it is (count,) of integers from 0 on."""
    check_shape("first_frequency", frequencies, count)
    return _integers("first_frequency", np.asarray(frequencies), 0)


def check_taps(offsets: Any, weights: Any, border: str, count: int) -> NDArray[np.int64]:
    """Return `offsets`, (count or 1, K, 2); raise ValueError for other shapes, fractions, or an unknown border."""
    if border not in BORDERS:
        raise ValueError(f"border: needs {', '.join(BORDERS)}; got {border!r}")
    given = np.asarray(offsets)
    check_shape("weights", weights, None)
    check_shape("offsets", given, 1 if len(given) == 1 else count, len(weights), 2)
    if given.dtype.kind not in "iu":
        raise ValueError(f"offsets: needs integers, got {given.dtype}")
    return given.astype(np.int64)


def check_positions(rows: Any, columns: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both as float64; raise ValueError unless they are (Z, H) and (Z, W), finite, Z, H and W at least 1."""
    check_shape("rows", rows, None, None)
    check_shape("columns", columns, len(rows), None)
    arrays = np.asarray(rows, np.float64), np.asarray(columns, np.float64)
    for name, array in zip(("rows", "columns"), arrays, strict=True):
        if not array.size or not np.isfinite(array).all():
            raise ValueError(f"{name}: needs finite positions, at least one")
    return arrays


def check_near(words: Any, reach: int, images: NDArray[Any]) -> None:
    """Raise ValueError unless `words` is (N, R, H, W) uint32 and `reach` at least 1."""
    check_shape("words", words, len(images), None, *images.shape[2:])
    if words.dtype != np.uint32:
        raise ValueError(f"words: needs uint32, got {words.dtype}")
    if not 1 <= reach < 2**15:
        raise ValueError(f"reach {reach}: needs at least 1 and less than 2^15")


def check_width(spectra: Any, width: int) -> None:
    """Raise ValueError unless `spectra` is (N, C, H, K) and K the columns of a half spectrum of this width."""
    check_shape("spectra", spectra, None, None, None, None)
    if width < 1 or np.shape(spectra)[3] != width // 2 + 1:
        raise ValueError(f"width {width}: its half spectrum has {width // 2 + 1} columns, got {np.shape(spectra)[3]}")


def check_grid_words(name: str, words: Any) -> None:
    """Raise ValueError unless `words` is (N, C, H, any) uint32."""
    check_shape(name, words, None, None, None, None)
    if words.dtype != np.uint32:
        raise ValueError(f"{name}: needs uint32, got {words.dtype}")


def check_steps(steps: PrimeSteps, count: int) -> None:
    """Raise ValueError unless `steps` is what `PrimeSteps` says, for `count` images; no chains or steps are allowed."""
    check_shape("steps.kinds", steps.kinds, count, None, None)
    shape = _, chains, depth = np.shape(steps.kinds)
    check_shape("steps.indices", steps.indices, count)
    check_shape("steps.stages", steps.stages, chains, depth)
    check_shape("steps.weights", steps.weights, count, chains + 1)
    for name in ("strengths", "first", "last"):
        check_shape(f"steps.{name}", getattr(steps, name), *shape)
    for name, dtype in (("stages", np.uint32), ("kinds", np.uint8)):
        if getattr(steps, name).dtype != dtype:
            raise ValueError(f"steps.{name}: needs {np.dtype(dtype)}, got {getattr(steps, name).dtype}")
    check_address(steps.key, steps.indices, steps.view, 0, 0, 0)
    for name in ("strengths", "weights"):
        _finite(f"steps.{name}", getattr(steps, name))
    if steps.kinds.max(initial=0) > NOISE:
        raise ValueError(f"steps.kinds: needs 0 to {NOISE} (kernels.prime_steps), got {steps.kinds.max()}")
    if steps.size < 1:
        raise ValueError(f"steps.size: needs at least 1, got {steps.size}")
    spatial, color = steps.kinds == SPATIAL, steps.kinds == COLOR
    _integers("steps.first", steps.first[color], 1)
    _integers("steps.last", steps.last[spatial], 0)
    _integers("steps.last", steps.last[color], steps.first[color])


def _integers(name: str, array: NDArray[Any], least: Any) -> NDArray[np.integer]:
    """Return `array`; raise ValueError unless it is of integers, each at least as large as that of `least`."""
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name}: needs integers, got {array.dtype}")
    below = np.flatnonzero(array < least)
    if below.size:
        bound = np.broadcast_to(least, array.shape).flat[below[0]]
        raise ValueError(f"{name}: needs at least {bound} here, got {array.flat[below[0]]}")
    return array


def _finite(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind != "f":
        raise ValueError(f"{name}: needs a floating-point array, got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: needs finite numbers")


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


def is_array(value: Any) -> bool:
    """Return whether `value` is an array, of NumPy or of a device."""
    return all(hasattr(value, name) for name in ("dtype", "ndim", "shape", "strides"))


def _kind(value: Any) -> str:
    return str(value.dtype) if is_array(value) else type(value).__name__
