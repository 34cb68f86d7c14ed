"""The stage: options, what is drawn and recorded, and that a higher severity is further from the clean image."""

import math

import numpy as np
import pytest
from pydantic import ValidationError

from passband.pipeline.augment.corruption import CORRUPTIONS, NAMES, TABLES, Corrupt, table_for
from passband.pipeline.augment.corruption.options import PoissonSeverity, UniformSeverity
from tests.pipeline.augment.corruption.pictures import corrupt, crops, draws, stage

COUNT = 20_000
TINY = (3, 2, 2)
DEFAULTS = {"table": None, "rounding": "nearest", "frost_textures": None}


def chosen(**options):
    """Return type and severity of many samples; their images are left alone by severity 0 or are tiny."""
    images = np.full((COUNT, *TINY), 0.5, np.float32)
    return stage(TINY, **options).apply(images, np.zeros(COUNT, np.int64), draws(COUNT))


@pytest.mark.parametrize(
    ("given", "dump"),
    [
        (
            {"types": ["snow"], "severity": {"poisson": 1}},
            {"types": ["snow"], "severity": {"poisson": 1.0}} | DEFAULTS,
        ),
        ({"types": "fog", "severity": 3}, {"types": ["fog"], "severity": 3} | DEFAULTS),
        (
            {"types": "all", "severity": {"uniform": [0, 5]}, "table": "cifar"},
            {"types": list(NAMES), "severity": {"uniform": [0, 5]}} | DEFAULTS | {"table": "cifar"},
        ),
        (
            {"types": "frost", "severity": 0, "rounding": "truncate", "frost_textures": "x"},
            {"types": ["frost"], "severity": 0, "table": None, "rounding": "truncate", "frost_textures": "x"},
        ),
    ],
)
def test_dump_holds_every_choice(given, dump):
    assert Corrupt.Options.model_validate(given).model_dump() == dump
    assert Corrupt.Options.model_validate(dump).model_dump() == dump


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"severity": 3}, "types"),
        ({"types": "fog"}, "severity"),
        ({"types": [], "severity": 3}, "at least 1"),
        ({"types": ["fog", "fog"], "severity": 3}, "names one twice"),
        ({"types": "mist", "severity": 3}, "mist"),
        ({"types": "fog", "severity": 6}, "less than or equal to 5"),
        ({"types": "fog", "severity": -1}, "greater than or equal to 0"),
        ({"types": "fog", "severity": True}, "needs 0 to 5, {poisson: rate}"),
        ({"types": "fog", "severity": 2.0}, "needs 0 to 5, {poisson: rate}"),
        ({"types": "fog", "severity": {"normal": 1}}, "needs 0 to 5, {poisson: rate}"),
        ({"types": "fog", "severity": {"poisson": 0}}, "greater than 0"),
        ({"types": "fog", "severity": {"poisson": math.inf}}, "poisson"),
        ({"types": "fog", "severity": {"poisson": 1, "uniform": [0, 1]}}, "unknown key 'uniform'"),
        ({"types": "fog", "severity": {"uniform": [3, 1]}}, "must not be above the last"),
        ({"types": "fog", "severity": {"uniform": [3]}}, "at least 2"),
        ({"types": "fog", "severity": {"uniform": [0, 6]}}, "less than or equal to 5"),
        ({"types": "fog", "severity": 3, "table": "mnist"}, "'cifar', 'tiny' or 'imagenet'"),
        ({"types": "fog", "severity": 3, "rounding": "up"}, "'nearest' or 'truncate'"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        Corrupt.Options.model_validate(options)


def test_every_corruption_has_five_constants_in_each_table():
    assert tuple(CORRUPTIONS) == NAMES
    assert len(NAMES) == 15
    for table in TABLES.values():
        assert tuple(table) == NAMES
        assert {len(constants) for constants in table.values()} == {5}


def test_the_default_table_goes_by_size():
    sides = ((32, 32), (9, 33), (33, 9), (48, 48), (64, 64), (65, 64), (64, 65), (224, 224))
    tables = ["cifar", "tiny", "tiny", "tiny", "tiny", "imagenet", "imagenet", "imagenet"]
    assert [table_for(*size) for size in sides] == tables


# Corruption -> constants at severity 5 of the generator for tiny ImageNet; one severity is enough to tell the tables.
TINY_AT_5 = {
    "gaussian_noise": (0.18,),
    "shot_noise": (15,),
    "impulse_noise": (0.14,),
    "defocus_blur": (3, 0.1),
    "glass_blur": (0.9, 2, 2),
    "motion_blur": (12, 3),
    "snow": (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    "frost": (0.7, 0.55),
    "fog": (2, 1.75),
    "brightness": (0.5,),
    "contrast": (0.05,),
    "elastic_transform": (10.24, 1.92, 1.28),
    "pixelate": (0.5,),
    "jpeg_compression": (25,),
}


@pytest.mark.parametrize("name", TINY_AT_5)
def test_the_table_for_tiny_imagenet(name):
    assert TABLES["tiny"][name][4] == pytest.approx(TINY_AT_5[name])


@pytest.mark.parametrize("size", [33, 48, 64])
@pytest.mark.parametrize("name", NAMES)
def test_images_between_those_of_cifar_and_imagenet_take_the_table_for_tiny(name, size):
    images = crops(3, size)
    result = corrupt(images, name, 5)
    np.testing.assert_array_equal(result, corrupt(images, name, 5, "tiny"))
    if TABLES["tiny"][name][4] != TABLES["cifar"][name][4]:
        assert (result != corrupt(images, name, 5, "cifar")).any()


@pytest.mark.parametrize("rate", [0.1, 1.0, 4.0, 50.0])
def test_thresholds_of_poisson_are_its_truncated_distribution(rate):
    thresholds = PoissonSeverity(poisson=rate).thresholds()
    masses = np.array([rate**k / math.factorial(k) for k in range(6)])
    np.testing.assert_allclose(np.diff([0, *thresholds, 2**32]) / 2**32, masses / masses.sum(), atol=2**-32)


def test_poisson_of_rate_one_is_as_the_paper_says():
    """SharpDRO's shares: 0.3681, 0.3681, 0.1840, 0.0613, 0.0153, 0.0031."""
    result = chosen(types="contrast", severity={"poisson": 1.0})
    shares = np.bincount(result.severity, minlength=6) / COUNT
    expected = np.array([120, 120, 60, 20, 5, 1]) / 326
    np.testing.assert_allclose(expected, [0.3681, 0.3681, 0.1840, 0.0613, 0.0153, 0.0031], atol=6e-5)
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected / COUNT)).all()


@pytest.mark.parametrize("ends", [(0, 5), (2, 4), (3, 3), (0, 0), (5, 5)])
def test_uniform_severities(ends):
    first, last = ends
    count = last - first + 1
    severity = chosen(types="contrast", severity={"uniform": list(ends)}).severity
    shares = np.bincount(severity, minlength=6) / COUNT
    expected = np.array([1 / count if first <= k <= last else 0 for k in range(6)])
    assert (np.abs(shares - expected) <= 5 * np.sqrt(expected / COUNT)).all()
    edges = np.diff([0, *UniformSeverity(uniform=list(ends)).thresholds(), 2**32])
    np.testing.assert_allclose(edges / 2**32, expected, atol=2**-32)


def test_types_are_equally_likely_and_independent_of_the_severity():
    names = ["contrast", "brightness", "gaussian_noise"]
    result = chosen(types=names, severity={"uniform": [0, 1]})
    numbers = [NAMES.index(name) for name in names]
    assert set(result.recorded["type"].tolist()) == set(numbers)
    for severity in (0, 1):
        types = result.recorded["type"][result.severity == severity]
        for number in numbers:
            assert abs((types == number).mean() - 1 / 3) < 5 * np.sqrt(1 / 3 / len(types))


def test_each_sample_has_what_its_type_and_severity_alone_would_give():
    images = crops(60, 32)
    whole = stage((3, 32, 32), types="all", severity={"uniform": [0, 5]}).apply(images, np.zeros(60), draws(60))
    assert whole.severity.tolist() == whole.recorded["severity"].tolist()
    for row in range(60):
        name, severity = NAMES[whole.recorded["type"][row]], int(whole.severity[row])
        alone = stage((3, 32, 32), types=name, severity=severity).apply(
            images[row : row + 1], np.zeros(1), draws(1, first=row)
        )
        np.testing.assert_array_equal(alone.images[0], whole.images[row])
        if severity == 0:
            np.testing.assert_array_equal(whole.images[row], images[row])


@pytest.mark.parametrize("name", NAMES)
def test_severity_zero_is_the_image(name):
    images = crops(3, 32)
    np.testing.assert_array_equal(corrupt(images, name, 0), images)


# Steps from one severity to the next at which a published table does not lead further from the image, and why.
UNEVEN = {
    ("glass_blur", "cifar"): {1, 2, 4},  # a wider Gaussian hides what is shuffled; only step 3 adds a round
    ("glass_blur", "tiny"): {1, 3},  # a wider Gaussian, as above; two rounds of reach 1 become one of reach 2
    ("glass_blur", "imagenet"): {3},  # three rounds of reach 2 become two of reach 3
    ("motion_blur", "cifar"): {3},  # a line of 8 in place of 6 pixels, where sigma is 2
    ("frost", "cifar"): {3, 4},  # the image gets darker and the frost on it brighter
    ("frost", "tiny"): {2},
    ("frost", "imagenet"): {3},
    ("fog", "imagenet"): {3},  # rougher, not thicker
    ("elastic_transform", "cifar"): {1, 2, 3, 4},  # the affine part gets weaker, the wobble finer
    ("elastic_transform", "tiny"): {1, 2, 3, 4},  # as for cifar
    ("elastic_transform", "imagenet"): {2},
}
CROPS = {(32, "cifar"): 48, (64, "tiny"): 24, (64, "cifar"): 24, (224, "imagenet"): 6}
every_crop = pytest.mark.parametrize(("size", "table"), CROPS)


@every_crop
@pytest.mark.parametrize("name", NAMES)
def test_distance_to_the_clean_image_grows_with_severity(name, size, table):
    images = crops(CROPS[size, table], size)
    distances = [np.abs(corrupt(images, name, severity, table) - images).mean() for severity in range(6)]
    assert distances[0] == 0
    assert all(0.002 < distance < 0.6 for distance in distances[1:])
    grows = {step for step in range(1, 5) if distances[step + 1] > distances[step]}
    assert grows >= {1, 2, 3, 4} - UNEVEN.get((name, table), set())
    assert distances[5] > distances[1] or name == "elastic_transform"


@every_crop
@pytest.mark.parametrize("name", ["frost", "fog"])
def test_frost_and_fog_hide_more_of_the_image_with_severity(name, size, table):
    """Their correlation with the clean image falls, whatever they do to its brightness."""
    images = crops(CROPS[size, table], size)
    likeness = [
        np.mean([np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(images, corrupted, strict=True)])
        for corrupted in (corrupt(images, name, severity, table) for severity in range(6))
    ]
    assert (np.diff(likeness) < -0.005).all()
