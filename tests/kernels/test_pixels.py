"""Pixel conversion: exact, both ways, and never silent about NaN."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from passband.kernels.cpu import pixels as cpu
from passband.kernels.reference import pixels as reference

shapes = st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 4]))
modules = pytest.mark.parametrize("module", [reference, cpu], ids=["reference", "cpu"])


def as_image(values):
    return np.asarray(values, np.float32)[None, None, None, :]


@modules
def test_every_pixel_value_goes_there_and_back(module):
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = module.to_float(values)
    assert images.shape == (1, 1, 16, 16)
    np.testing.assert_array_equal(module.to_uint8(images), values)


def test_quotients_are_correctly_rounded():
    images = cpu.to_float(np.arange(256, dtype=np.uint8).reshape(1, 1, 256, 1)).ravel()
    assert images.dtype == np.float32
    for value, quotient in enumerate(images):
        exact = Fraction(value, 255)
        error = abs(Fraction(float(quotient)) - exact)
        for neighbor in (np.nextafter(quotient, np.float32(-1)), np.nextafter(quotient, np.float32(2))):
            assert error <= abs(Fraction(float(neighbor)) - exact)


@modules
def test_the_one_tie_goes_to_even(module):
    # 0.5 * 255 = 127.5 is the only product of a float32 in [0, 1] that lies half way.
    below, above = np.nextafter(np.float32(0.5), np.float32([0, 1]))
    assert module.to_uint8(as_image([0.5, below, above])).ravel().tolist() == [128, 127, 128]


@modules
def test_nearly_half_is_not_rounded_twice(module):
    # float32(k / 255) * 255 in float32 would be a tie for many of these; the exact product is not.
    halves = ((np.arange(255) + 0.5) / 255).astype(np.float32)
    values = np.concatenate([halves, np.nextafter(halves, np.float32(0)), np.nextafter(halves, np.float32(1))])
    exact = [round(Fraction(float(x)) * 255) for x in values]  # Python rounds a Fraction half to even
    assert module.to_uint8(as_image(values)).ravel().tolist() == exact


@modules
def test_values_outside_are_clipped(module):
    values = [-1e30, -0.1, -0.0, 0.0, 1.0, 1.0000001, 1.1, 1e30, 1e-45]
    assert module.to_uint8(as_image(values)).ravel().tolist() == [0, 0, 0, 0, 255, 255, 255, 255, 0]


@modules
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_named(module, bad):
    images = np.zeros((9, 3, 4, 5), np.float32)
    images[6, 2, 3, 4] = images[8, 0, 0, 0] = bad
    with pytest.raises(ValueError, match="row 6 of a batch of 9 is not finite"):
        module.to_uint8(images)


@given(shape=shapes, seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_layout(shape, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    for view in (pixels, pixels[::-1], pixels[:, ::-1, ::-1]):
        images = cpu.to_float(view)
        assert images.flags.c_contiguous
        np.testing.assert_array_equal(images, reference.to_float(view).astype(np.float32))
        np.testing.assert_array_equal(images * np.float32(255), view.transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(cpu.to_uint8(images), view)


@given(images=hnp.arrays(np.float32, (3, 2, 4, 5), elements=st.floats(-0.5, 1.5, width=32)))
@settings(max_examples=50, deadline=None)
def test_cpu_rounds_like_the_reference(images):
    rounded = cpu.to_uint8(images[:, :, ::-1])
    assert rounded.dtype == np.uint8
    assert rounded.flags.c_contiguous
    np.testing.assert_array_equal(rounded, reference.to_uint8(images[:, :, ::-1]))
