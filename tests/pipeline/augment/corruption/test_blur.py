"""Blurs against impulse responses worked out by hand, scipy.ndimage and the published recipes."""

import math

import numpy as np
import pytest
import scipy.ndimage

from passband.kernels import cpu
from passband.pipeline.augment.corruption import TABLES, blur, masks
from passband.pipeline.augment.corruption.blur import BLUR
from tests.pipeline.augment.corruption.pictures import corrupt, crops, draws, flat

CASES = [(name, table, severity) for name in BLUR for table in TABLES for severity in range(1, 6)]
every_case = pytest.mark.parametrize(("name", "table", "severity"), CASES)


def impulse(size):
    image = np.zeros((1, 1, size, size), np.float32)
    image[..., size // 2, size // 2] = 1
    return image


@every_case
def test_a_constant_image_stays_as_it_is(name, table, severity):
    images = flat(2, 33, 0.7)
    np.testing.assert_allclose(corrupt(images, name, severity, table), images, atol=3e-6)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("severity", range(1, 6))
def test_masks_are_positive_and_add_up_to_one(table, severity):
    radius, sigma = TABLES[table]["motion_blur"][severity - 1]
    disk = masks.disk_taps(*TABLES[table]["defocus_blur"][severity - 1])[1]
    for weights in (disk, masks.half_gaussian_weights(sigma, 2 * radius + 1)):
        assert (weights > 0).all()
        assert math.fsum(weights) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("sigma", [0.25, 0.4, 1.0, 15.0])
def test_gaussian_weights(sigma):
    x = np.arange(-6, 7)
    expected = np.exp(-(x**2) / (2 * sigma**2))
    np.testing.assert_allclose(masks.gaussian_weights(sigma, 6), expected / expected.sum(), rtol=1e-14)


@pytest.mark.parametrize(
    ("radius", "sigma"), [(0.5, 0.6), (1, 0.2), (1.5, 0.1), (3, 0.1), (6, 0.5), (8, 0.5), (10, 0.5)]
)
def test_a_disk_is_the_published_one_away_from_its_margin(radius, sigma):
    line = np.arange(-max(8, radius), max(8, radius) + 1)
    disk = (line[:, None] ** 2 + line**2 <= radius**2).astype(np.float64)
    soft = 1 if radius <= 8 else 2
    published = scipy.ndimage.gaussian_filter(disk / disk.sum(), sigma, radius=soft, mode="mirror")
    offsets, weights = masks.disk_taps(radius, sigma)
    ours = np.zeros((31, 31))
    ours[tuple((offsets + 15).T)] = weights
    theirs = np.pad(published, (31 - len(line)) // 2)
    inside = np.hypot(*np.mgrid[-15:16, -15:16]) < (31 if radius < 8 else radius - 2)
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-8)
    assert np.abs(ours - theirs).sum() < (1e-8 if radius < 8 else 0.02)


def test_defocus_of_an_impulse_is_its_disk():
    result = corrupt(impulse(33), "defocus_blur", 5, "cifar")[0, 0]
    expected = np.zeros((33, 33))
    expected[15:18, 15:18] = 1 / 9  # radius 1.5 reaches the diagonal neighbours
    np.testing.assert_allclose(result, expected, atol=1e-7)


@pytest.mark.parametrize("border", ["nearest", "mirror", "reflect"])
def test_taps_are_a_correlation(border):
    weights = np.random.default_rng(0).random((5, 7))
    images = crops(2, 32)[:, :, :9, :20].copy()
    offsets = np.argwhere(weights > 0) - [2, 3]
    result = cpu.tap_filter(images, offsets[None], weights.ravel(), border)
    expected = scipy.ndimage.correlate(images.astype(np.float64), weights[None, None], mode=border)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.25, 0.4, 0.7, 1.5])
def test_the_gaussian_of_glass_blur_is_that_of_skimage(sigma):
    images = crops(2, 32)
    expected = scipy.ndimage.gaussian_filter(
        images.astype(np.float64), (0, 0, sigma, sigma), mode="nearest", truncate=4
    )
    np.testing.assert_allclose(blur._gaussian(images, sigma, cpu), expected, atol=1e-6)


def test_shuffled_pixels_are_copied_in_the_published_order():
    """The published loop, its assignment of views included, on known steps."""
    rng, reach = np.random.default_rng(3), 2
    image = rng.random((17, 22, 3))
    steps = rng.integers(-reach, reach, (3, 17, 22, 2))
    halves = ((steps + reach) * 2**16 // (2 * reach)).astype(np.uint32)
    words = (halves[..., 0] << np.uint32(16)) | halves[..., 1]
    result = cpu.shuffle_pixels(image.transpose(2, 0, 1)[None].astype(np.float32), words[None], reach)
    x = image.copy()
    for i in range(3):
        for h in range(17 - reach, reach, -1):
            for w in range(22 - reach, reach, -1):
                dy, dx = steps[i, h, w]
                x[h, w], x[h + dy, w + dx] = x[h + dy, w + dx], x[h, w]
    np.testing.assert_array_equal(result[0].transpose(1, 2, 0), x.astype(np.float32))


def test_glass_takes_values_from_within_reach_but_at_the_edge():
    """With reach 1 a step is -1 or 0, and what is above or to the left comes later: no copy of a copy."""
    rows = np.arange(64, dtype=np.float32)[:, None].repeat(64, axis=1)[None, None]
    words = np.random.default_rng(0).integers(0, 2**32, (1, 1, 64, 64), np.uint32)
    moved = (cpu.shuffle_pixels(rows, words, 1) - rows)[0, 0]
    assert not moved[:2].any()
    assert not moved[:, :2].any()
    inner = moved[2:, 2:]
    assert set(np.unique(inner)) == {-1, 0}
    assert abs(inner.mean() + 0.5) < 5 * 0.5 / 62


def test_motion_smears_to_one_side_along_the_angle():
    mark = impulse(41)
    for degrees, (dy, dx) in {0: (0, 1), 45: (1, 1), -45: (-1, 1), 90: (1, 0), -135: (-1, -1)}.items():
        result = blur.smear(mark, np.array([degrees / 180]), 4, 2.0, cpu)[0, 0]
        weights = masks.half_gaussian_weights(2.0, 9)
        diagonal = dy != 0 and dx != 0
        positions = [math.ceil(i * (0.5**0.5 if diagonal else 1) - 0.5) for i in range(9)]
        expected = np.zeros((41, 41))
        for i, weight in zip(positions, weights, strict=True):
            expected[20 - i * dy, 20 - i * dx] += weight
        np.testing.assert_allclose(result, expected, atol=1e-7)


def test_the_angles_of_motion_blur_fill_their_range():
    drawn = draws(4000).uniforms(1)[:, 0]
    offsets = masks.line_offsets((drawn - 0.5) / 2, 21)[:, -1]
    angles = np.degrees(np.arctan2(offsets[:, 0], offsets[:, 1]))
    assert angles.min() == pytest.approx(-45, abs=2)
    assert angles.max() == pytest.approx(45, abs=2)
    assert abs(angles.mean()) < 2


def published_zoom(image, factor):
    """Return the middle of an enlargement of a square by the steps of the public generators."""
    size = len(image)
    inner = int(np.ceil(size / factor))
    top = (size - inner) // 2
    large = scipy.ndimage.zoom(image[top : top + inner, top : top + inner], factor, order=1)
    trim = (len(large) - size) // 2
    return large[trim : trim + size, trim : trim + size]


RANGES = {
    "cifar": [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    "tiny": [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)],
    "imagenet": [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
}
"""Table -> end and step of the published ranges of zoom factors, severities 1 to 5."""
every_range = pytest.mark.parametrize(
    ("table", "severity"), [(t, s) for t, rs in RANGES.items() for s in range(len(rs))]
)


@every_range
def test_the_factors_of_zoom_blur_are_those_of_the_published_ranges(table, severity):
    stop, step = RANGES[table][severity]
    published = np.arange(1, stop, step)
    percents = TABLES[table]["zoom_blur"][severity]
    np.testing.assert_array_equal(masks.zoom_factors(percents), published)  # to the bit: sizes depend on it
    np.testing.assert_allclose(np.array(percents) / 100, published)


@every_range
@pytest.mark.parametrize("size", [32, 33, 64, 224])
def test_enlargements_are_those_of_the_published_code(size, table, severity):
    image = np.random.default_rng(0).random((size, size))
    for factor in np.arange(1, *RANGES[table][severity]):
        grid = masks.zoom_grid(size, [float(factor)])
        result = cpu.resample(image[None, None].astype(np.float32), grid, grid)[0, 0]
        np.testing.assert_allclose(result, published_zoom(image, factor), atol=2e-5, err_msg=f"factor {factor}")


@every_range
def test_zoom_blur_is_the_published_one(table, severity):
    for size in (32, 64, 224):
        image = np.random.default_rng(severity).random((size, size))
        factors = np.arange(1, *RANGES[table][severity])
        expected = (image + sum(published_zoom(image, factor) for factor in factors)) / (len(factors) + 1)
        result = corrupt(image[None, None].astype(np.float32), "zoom_blur", severity + 1, table)[0, 0]
        np.testing.assert_allclose(result, expected, atol=2e-5)


def test_the_last_factor_for_cifar_makes_33_pixels_of_26():
    """In decimals 26 * 1.25 is 32.5, which rounds to 32; the published factor is a little more."""
    (line,) = masks.zoom_grid(32, [masks.zoom_factors(range(100, 126))[-1]])
    np.testing.assert_allclose(np.diff(line), 25 / 32)


@pytest.mark.parametrize("factor", [1, 1.25, 1.75, 2.25, 2.5, 3, 4, 4.5])
@pytest.mark.parametrize("size", [32, 33, 64, 224])
def test_enlargements_of_snow_are_those_of_the_published_code(size, factor):
    image = np.random.default_rng(0).random((size, size))
    grid = masks.zoom_grid(size, [factor])
    result = cpu.resample(image[None, None].astype(np.float32), grid, grid)[0, 0]
    np.testing.assert_allclose(result, published_zoom(image, factor), atol=2e-5)


def test_zoom_blur_is_the_mean_of_the_image_and_its_enlargements():
    images = crops(2, 32)
    percents = TABLES["cifar"]["zoom_blur"][2]
    parts = [images] + [
        cpu.resample(images, masks.zoom_grid(32, [factor]), masks.zoom_grid(32, [factor]))
        for factor in masks.zoom_factors(percents)
    ]
    np.testing.assert_allclose(corrupt(images, "zoom_blur", 3), np.mean(parts, axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: cpu.tap_filter(x, np.zeros((1, 2, 2), int), [1.0], "nearest"), "offsets: needs shape"),
        (lambda x: cpu.tap_filter(x, np.zeros((1, 1, 2)), [1.0], "nearest"), "offsets: needs integers"),
        (lambda x: cpu.tap_filter(x, np.zeros((1, 1, 2), int), [1.0], "wrap"), "border: needs nearest"),
        (lambda x: cpu.resample(x, [[0.0]], [[np.nan]]), "columns: needs finite"),
        (lambda x: cpu.resample(x, [[0.0]], [[0.0], [1.0]]), "columns: needs shape"),
        (lambda x: cpu.shuffle_pixels(x, np.zeros((1, 1, 8, 8), np.uint32), 0), "reach 0"),
        (lambda x: cpu.shuffle_pixels(x, np.zeros((1, 1, 8, 8), np.int64), 1), "words: needs uint32"),
        (lambda x: cpu.shuffle_pixels(x, np.zeros((1, 1, 8, 9), np.uint32), 1), "words: needs shape"),
    ],
)
def test_impossible_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(flat(1, 8, 0.5))
