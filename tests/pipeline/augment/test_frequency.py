"""Options, refusals and results of the filter stages."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from passband.kernels import backend
from passband.pipeline.augment import AUGMENTATIONS, Draws

DRAWS = Draws(0, np.arange(2, dtype=np.uint32), view=1)


def apply(name, options, images):
    stage_class = AUGMENTATIONS[name]
    resolved = stage_class.Options.model_validate(options)
    stage_class.check(resolved, images.shape[1:])
    stage = stage_class(resolved, shape=images.shape[1:], kernels=backend("cpu"))
    return stage.apply(images, np.zeros(len(images), np.int64), DRAWS)


def noise(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "options", "dump"),
    [
        ("radial", {"high": 8}, {"low": 0.0, "high": 8.0, "range": "clip"}),
        ("radial", {"low": 8}, {"low": 8.0, "high": "inf", "range": "minmax"}),
        ("radial", {"low": 8, "high": "inf"}, {"low": 8.0, "high": "inf", "range": "minmax"}),
        ("radial", {"low": 8, "high": math.inf}, {"low": 8.0, "high": "inf", "range": "minmax"}),
        ("radial", {"low": 2, "high": 4, "range": "shift"}, {"low": 2.0, "high": 4.0, "range": "shift"}),
        ("dct", {"size": 4, "keep": "low"}, {"size": 4, "keep": "low", "range": "clip"}),
        ("dct", {"size": 4, "keep": "high"}, {"size": 4, "keep": "high", "range": "minmax"}),
        ("dct_flip", {}, {"range": "minmax"}),
        ("svd", {"rank": 4, "keep": "leading"}, {"rank": 4, "keep": "leading", "range": "clip"}),
        ("svd", {"rank": 4, "keep": "trailing"}, {"rank": 4, "keep": "trailing", "range": "minmax"}),
        ("phase_only", {"range": "float"}, {"range": "float"}),
    ],
)
def test_dump_holds_every_default(name, options, dump):
    assert AUGMENTATIONS[name].Options.model_validate(options).model_dump() == dump


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("radial", {"low": -1}, "low"),
        ("radial", {"low": math.nan}, "low"),
        ("radial", {"low": math.inf}, "low"),
        ("radial", {"high": math.nan}, "high is nan; allowed: above low"),
        ("radial", {"high": 0}, "high is 0.0; allowed: above low, which is 0.0"),
        ("radial", {"low": 5, "high": 5}, "high is 5.0; allowed: above low, which is 5.0"),
        ("radial", {"low": 5, "high": "large"}, "high"),
        ("radial", {"low": "5"}, "low"),
        ("radial", {"low": True}, "low"),
        ("radial", {}, "give low, high or both"),
        ("radial", {"high": 8, "range": "wrap"}, "range"),
        ("dct", {"size": 0, "keep": "low"}, "size"),
        ("dct", {"size": 2.5, "keep": "low"}, "size"),
        ("dct", {"size": 4, "keep": "leading"}, "keep"),
        ("dct", {"keep": "low"}, "size"),
        ("svd", {"rank": 0, "keep": "leading"}, "rank"),
        ("svd", {"rank": 3}, "keep"),
        ("dct_flip", {"size": 3}, "size"),
    ],
)
def test_bad_options_are_refused_by_name(name, options, message):
    with pytest.raises(ValidationError, match=message):
        AUGMENTATIONS[name].Options.model_validate(options)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("radial", {"low": 23}, "run from 0 to 11.31"),
        ("radial", {"low": 1.1, "high": 1.3}, "keep no frequency of a 16 x 20 image"),
        ("dct", {"size": 17, "keep": "low"}, "size is 17; allowed for 16 x 20 images: 1 to 16"),
        ("svd", {"rank": 17, "keep": "leading"}, "rank is 17; allowed for 16 x 20 images: 1 to 16"),
        ("svd", {"rank": 16, "keep": "trailing"}, "rank is 16; allowed for 16 x 20 images: 1 to 15"),
    ],
)
def test_options_that_do_not_fit_the_shape_are_refused(name, options, message):
    stage_class = AUGMENTATIONS[name]
    shape = (3, 16, 16) if "11.31" in message else (3, 16, 20)
    with pytest.raises(ValueError, match=message):
        stage_class.check(stage_class.Options.model_validate(options), shape)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("radial", {"high": 28}),  # all of it: the end of a sweep over radii
        ("radial", {"low": 1, "high": 1.1}),
        ("radial", {"low": 11.3}),
        ("dct", {"size": 16, "keep": "high"}),
        ("svd", {"rank": 15, "keep": "trailing"}),
    ],
)
def test_extreme_options_that_fit_are_taken(name, options):
    result = apply(name, options, noise(2, 3, 16, 16))
    assert result.images.max() > 0
    assert result.recorded == {}


def test_radius_past_the_corner_keeps_the_image():
    images = noise(2, 3, 16, 16)
    np.testing.assert_allclose(apply("radial", {"high": 28}, images).images, images, atol=2e-6)


def test_low_and_high_add_up_when_stored_as_float():
    images = noise(2, 3, 17, 24)
    low, high = (
        apply("radial", {"high": 5, "range": "float"}, images),
        apply("radial", {"low": 5, "range": "float"}, images),
    )
    np.testing.assert_allclose(low.images + high.images, images, atol=2e-6)


@pytest.mark.parametrize("size", [(32, 32), (31, 29), (97, 101), (224, 224)])
@pytest.mark.parametrize("level", [0.1, 0.3, 1.0])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("radial", {"low": 4}),
        ("radial", {"low": 2, "high": 5}),
        ("dct", {"size": 9, "keep": "high"}),
        ("svd", {"rank": 2, "keep": "trailing"}),
    ],
)
def test_what_is_left_of_a_constant_is_black_not_amplified_rounding(name, options, level, size):
    assert (apply(name, options, np.full((2, 3, *size), level, np.float32)).images == 0).all()


def test_a_single_gray_level_survives_a_high_pass():
    images = np.full((2, 3, 32, 32), np.float32(100 / 255))
    images[1, 0, 5, 6] = np.float32(101 / 255)
    result = apply("radial", {"low": 4}, images).images
    assert (result[0] == 0).all()
    assert result[1].max() == 1
    assert np.unravel_index(result[1].argmax(), result[1].shape) == (0, 5, 6)


@pytest.mark.parametrize(("kind", "expected"), [("float", True), ("clip", False), (None, False)])
def test_stores_float(kind, expected):
    options = AUGMENTATIONS["dct_flip"].Options(range=kind)
    assert AUGMENTATIONS["dct_flip"](options, shape=(3, 8, 8), kernels=backend("cpu")).stores_float is expected


def test_only_svd_is_bound_to_its_environment():
    assert [
        name for name in ("radial", "dct", "dct_flip", "svd", "phase_only") if AUGMENTATIONS[name].environment_bound
    ] == ["svd"]
