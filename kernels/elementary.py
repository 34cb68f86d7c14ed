"""Sine, cosine and logarithm in float64 from +, -, *, / alone.

NumPy's own transcendental functions take other paths on processors with wider vectors and may differ there in the
last bit; these give the same bits everywhere, at an error of a few units in the last place.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_SIN = [(-1) ** k / math.factorial(2 * k + 1) for k in range(9)]
_COS = [(-1) ** k / math.factorial(2 * k) for k in range(10)]
_ATANH = [2 / (2 * k + 1) for k in range(13)]
_LN2 = 0.6931471805599453
_SQRT_HALF = 0.7071067811865476


def _horner(coefficients: list[float], z: Array) -> Array:
    total = np.full_like(z, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * z + coefficient
    return total


def _sin_quadrants(x: Array, shift: int) -> Array:
    """Return sin(pi (x + shift / 2)); the reduction to [-1/4, 1/4] is exact."""
    quadrant = np.rint(2 * x)
    angle = (x - quadrant / 2) * math.pi
    square = angle * angle
    which = (quadrant.astype(np.int64) + shift) % 4
    value = np.where(which % 2 == 0, angle * _horner(_SIN, square), _horner(_COS, square))
    return np.where(which < 2, value, -value)


def sin_pi(x: ArrayLike) -> Array:
    """Return sin(pi x) for abs(x) < 2^51, absolute error below 3e-16 (Taylor series on a quarter turn)."""
    return _sin_quadrants(np.asarray(x, np.float64), 0)


def cos_pi(x: ArrayLike) -> Array:
    """Return cos(pi x) for abs(x) < 2^51, absolute error below 3e-16."""
    return _sin_quadrants(np.asarray(x, np.float64), 1)


def log(x: ArrayLike) -> Array:
    """Return the natural logarithm of positive finite numbers, relative error below 1e-15 away from 1."""
    mantissa, exponent = np.frexp(np.asarray(x, np.float64))
    small = mantissa < _SQRT_HALF
    mantissa = np.where(small, 2 * mantissa, mantissa)
    exponent = exponent - small
    ratio = (mantissa - 1) / (mantissa + 1)
    return exponent * _LN2 + ratio * _horner(_ATANH, ratio * ratio)
