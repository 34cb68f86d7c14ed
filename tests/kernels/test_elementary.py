"""Sine, cosine and logarithm without a library, against the C library's."""

import math

import numpy as np

from passband.kernels.elementary import cos_pi, log, sin_pi

RNG = np.random.default_rng(0)


def test_sine_and_cosine():
    x = np.concatenate([RNG.uniform(-3, 3, 20_000), np.arange(-8, 9) / 4])
    np.testing.assert_allclose(sin_pi(x), np.sin(np.pi * np.fmod(x, 2)), rtol=0, atol=2e-15)
    np.testing.assert_allclose(cos_pi(x), np.cos(np.pi * np.fmod(x, 2)), rtol=0, atol=2e-15)
    np.testing.assert_allclose(sin_pi(x) ** 2 + cos_pi(x) ** 2, 1, rtol=0, atol=1e-15)


def test_exact_at_multiples_of_a_half():
    assert sin_pi([0.0, 0.5, 1.0, 1.5, 2.0, -0.5, 2.0**40 + 0.5]).tolist() == [0, 1, 0, -1, 0, -1, 1]
    assert cos_pi([0.0, 0.5, 1.0, 1.5, 2.0]).tolist() == [1, 0, -1, 0, 1]


def test_logarithm():
    x = np.concatenate([10 ** RNG.uniform(-300, 300, 10_000), RNG.uniform(0.5, 2, 10_000), [2.0**-32, 1 - 2.0**-32]])
    np.testing.assert_allclose(log(x), np.log(x), rtol=1e-15, atol=1e-16)
    assert log(1.0) == 0
    assert abs(log(10_000) - math.log(10_000)) < 2e-15
