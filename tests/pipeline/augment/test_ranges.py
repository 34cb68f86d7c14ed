"""The range option: defaults, known answers, and what counts as constant."""

import numpy as np
import pytest

from passband.pipeline.augment.ranges import FLAT, RangeOptions, to_range


def batch(*values):
    return np.array(values, np.float32).reshape(1, 1, 1, -1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("clip", [0, 0, 0.25, 1]),
        ("shift", [0, 0.25, 0.75, 1]),
        ("minmax", [0, 0.375, 0.625, 1]),
        ("float", [-1, -0.25, 0.25, 1]),
    ],
)
def test_known_answers(kind, expected):
    np.testing.assert_array_equal(to_range(batch(-1, -0.25, 0.25, 1), kind).ravel(), np.float32(expected))


def test_minmax_is_over_all_channels_of_one_image():
    images = np.zeros((2, 2, 1, 2), np.float32)
    images[0] = [[[1, 2]], [[3, 5]]]
    images[1] = [[[-1, 0]], [[0, 0]]]
    expected = [[[[0, 0.25]], [[0.5, 1]]], [[[0, 1]], [[1, 1]]]]
    np.testing.assert_array_equal(to_range(images, "minmax"), np.float32(expected))


@pytest.mark.parametrize("level", [0.0, 0.3, -7.0])
def test_minmax_of_a_constant_is_black(level):
    noise = np.random.default_rng(0).uniform(-FLAT / 2, FLAT / 2, (1, 3, 8, 8))
    for image in (np.full((1, 3, 8, 8), level), level + 0.9 * noise):
        assert (to_range(image.astype(np.float32), "minmax") == 0).all()


def test_minmax_of_a_faint_image_is_stretched():
    result = to_range(batch(0, 2 * FLAT, 4 * FLAT), "minmax")
    np.testing.assert_array_equal(result.ravel(), [0, 0.5, 1])


@pytest.mark.parametrize("kind", ["clip", "shift", "minmax", "float"])
def test_nan_stays_and_stays_in_its_image(kind):
    images = np.array([[0, 1], [np.nan, 1], [0, 1]], np.float32).reshape(3, 1, 1, 2)
    result = to_range(images, kind)
    assert np.isnan(result).any(axis=(1, 2, 3)).tolist() == [False, True, False]


def test_default_is_resolved_in_the_dump():
    assert RangeOptions().model_dump() == {"range": "minmax"}
    assert RangeOptions(range="shift").model_dump() == {"range": "shift"}
