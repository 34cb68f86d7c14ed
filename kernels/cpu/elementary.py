"""Elementary functions in float32 from fused multiply-adds alone: the same bits in a vector's lane as by itself."""

import numpy as np

from passband.kernels.cpu.compile import bits_of, float_of, fma, kernel

F = np.float32
I = np.int32  # noqa: E741  # short, as it stands in nearly every line below

# sin(pi r) / r as a polynomial of r^2 on |r| <= 1/2 (Chebyshev interpolation), absolute error of the sine 4e-8.
_S0, _S1, _S2, _S3, _S4 = map(
    F, (3.141592640077202, -5.16771007666818, 2.55007738652654, -0.598290411268945, 0.0776559122)
)

# Cephes (Moshier): logf, sinf and cosf.
_L0, _L1, _L2 = F(7.0376836292e-2), F(-1.1514610310e-1), F(1.1676998740e-1)
_L3, _L4, _L5 = F(-1.2420140846e-1), F(1.4249322787e-1), F(-1.6668057665e-1)
_L6, _L7, _L8 = F(2.0000714765e-1), F(-2.4999993993e-1), F(3.3333331174e-1)
_LN2_HIGH, _LN2_LOW = F(0.693359375), F(-2.12194440e-4)
_A1, _A2, _A3 = F(-1.6666654611e-1), F(8.3321608736e-3), F(-1.9515295891e-4)
_B2, _B3, _B4 = F(4.166664568298827e-2), F(-1.388731625493765e-3), F(2.443315711809948e-5)
_QUARTER_TURN = F(3.141592653589793 * 2.0**-33)  # radians in one step of a quadrant's 32 bits

_HALF, _ONE, _TWO = F(0.5), F(1), F(2)
_SQRT_HALF_BITS = I(0x3F3504F3)


@kernel
def sin_pi_near(r):
    """Return sin(pi r) for |r| <= 1/2."""
    z = r * r
    return r * fma(z, fma(z, fma(z, fma(z, _S4, _S3), _S2), _S1), _S0)


@kernel
def flip_sign(x, odd):
    """Return x, negated where the integer-valued float `odd` is odd."""
    return float_of(I(bits_of(x) ^ I(I(odd) << I(31))))


@kernel
def cos_pi(x):
    """Return cos(pi x) for |x| < 2^23."""
    turns = np.rint(x)
    return flip_sign(sin_pi_near(_HALF - abs(x - turns)), turns)


@kernel
def sin_pi_product(k, x):
    """Return sin(pi k x) with k x formed exactly, for |k x| < 2^23."""
    product = k * x
    rest = fma(k, x, -product)
    turns = np.rint(product)
    return flip_sign(sin_pi_near((product - turns) + rest), turns)


@kernel
def radius_of(word):
    """Return sqrt(-2 ln((word | 1) / 2^32)) of a uint32.

    The distance of the argument to the nearest power of two is formed in integers, so that no digit is lost near 1.
    """
    odd = np.uint32(word | np.uint32(1))
    approximate = fma(F(I(np.uint32(word) >> np.uint32(1))), _TWO, _ONE)
    exponent = I(I(bits_of(approximate) - _SQRT_HALF_BITS) >> I(23))
    power = np.uint32(0) if exponent == I(32) else np.uint32(np.uint32(1) << np.uint32(exponent & I(31)))
    offset = I(np.uint32(odd - power))
    f = F(offset) * float_of(I((I(127) - exponent) << I(23)))
    z = f * f
    p = fma(f, fma(f, fma(f, fma(f, _L0, _L1), _L2), _L3), _L4)
    p = fma(f, fma(f, fma(f, fma(f, p, _L5), _L6), _L7), _L8)
    e = F(exponent - I(32))
    y = fma(e, _LN2_LOW, f * (z * p))
    y = fma(-_HALF, z, y)
    ln = fma(e, _LN2_HIGH, f + y)
    return np.sqrt(-_TWO * ln)


@kernel
def turn(word):
    """Return cos and sin of 2 pi word / 2^32."""
    quadrant = I(np.uint32(word + np.uint32(0x20000000)) >> np.uint32(30))
    x = F(I(np.uint32(word << np.uint32(2)))) * _QUARTER_TURN
    z = x * x
    s = fma(x * z, fma(z, fma(z, _A3, _A2), _A1), x)
    c = fma(z * z, fma(z, fma(z, _B4, _B3), _B2), fma(-_HALF, z, _ONE))
    swap = I(quadrant & I(1)) != I(0)
    cosine = s if swap else c
    sine = c if swap else s
    cosine_sign = I(I((quadrant + I(1)) & I(2)) << I(30))
    sine_sign = I(I(quadrant & I(2)) << I(30))
    return float_of(I(bits_of(cosine) ^ cosine_sign)), float_of(I(bits_of(sine) ^ sine_sign))
