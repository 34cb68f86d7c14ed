"""The option `rounding`: levels survive on every backend, and the 8-bit steps are those of the public generators."""

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from skimage.color import hsv2rgb, rgb2hsv

from passband.kernels import backend
from passband.pipeline.augment.corruption import NAMES, TABLES, Corrupt, blur, weather
from passband.pipeline.augment.corruption.levels import SLACK, truncated
from passband.pipeline.augment.corruption.masks import half_gaussian_weights, line_offsets
from tests.pipeline.augment.corruption.pictures import crops, draws, stage

CPU = backend("cpu")
LEVELS = np.arange(256)


def as_images(values):
    return np.asarray(values, np.float32).reshape(1, 1, 1, -1)


def corrupt(images, name, severity, **options):
    made = stage(images.shape[1:], types=name, severity=severity, **options)
    return made.apply(images, np.zeros(len(images), np.int64), draws(len(images))).images


def stored(images):
    """Return the pixels of images as they are stored, (N, C, H, W)."""
    return CPU.to_uint8(images).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["cpu", "reference"])
def test_every_level_stays_and_is_stored(name):
    kernels = backend(name)
    images = kernels.to_float(LEVELS.astype(np.uint8).reshape(1, 16, 16, 1))
    cut = truncated(images)
    assert cut.dtype == images.dtype
    np.testing.assert_array_equal(cut, images)
    np.testing.assert_array_equal(kernels.to_uint8(cut).ravel(), LEVELS)


def test_every_level_stays_and_is_stored_on_a_device(device):
    kernels = backend("cuda")
    pixels = LEVELS.astype(np.uint8).reshape(1, 16, 16, 1)
    images = kernels.to_float(device.asarray(pixels))
    cut = truncated(images)
    np.testing.assert_array_equal(device.asnumpy(cut), device.asnumpy(images))
    np.testing.assert_array_equal(device.asnumpy(kernels.to_uint8(cut)), pixels)


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_value_between_two_levels_takes_the_lower(part):
    np.testing.assert_array_equal(stored(truncated(as_images((LEVELS[:-1] + part) / 255))).ravel(), LEVELS[:-1])


def test_a_value_that_misses_a_level_by_rounding_alone_keeps_it():
    near = np.nextafter(as_images(LEVELS / 255), np.float32(-1))
    np.testing.assert_array_equal(stored(truncated(near)).ravel(), LEVELS)
    far = as_images((LEVELS[1:] - 3 * SLACK) / 255)
    np.testing.assert_array_equal(stored(truncated(far)).ravel(), LEVELS[:-1])


def test_values_outside_are_clipped_and_not_a_number_stays():
    cut = truncated(as_images([-3, -0.001, 1.001, 7, np.nan])).ravel()
    np.testing.assert_array_equal(cut, [0, 0, 1, 1, np.nan])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_truncated_is_a_level(name):
    images = crops(6, 32)
    for severity in range(1, 6):
        cut = corrupt(images, name, severity, rounding="truncate")
        np.testing.assert_array_equal(CPU.to_float(CPU.to_uint8(cut)), cut)


FLOORED = [name for name in NAMES if name not in ("glass_blur", "motion_blur", "snow", "pixelate", "jpeg_compression")]


@pytest.mark.parametrize("name", FLOORED)
def test_the_result_is_cut_to_the_level_below(name):
    images = crops(6, 32)
    for severity in (1, 5):
        kept = corrupt(images, name, severity).astype(np.float64)
        cut = stored(corrupt(images, name, severity, rounding="truncate"))
        np.testing.assert_array_equal(cut, np.floor(kept * 255 + SLACK))


def test_truncating_darkens_by_half_a_level():
    images = crops(48, 32)
    nearest, cut = (stored(corrupt(images, "contrast", 4, rounding=how)).astype(int) for how in ("nearest", "truncate"))
    inside = (nearest > 0) & (nearest < 255)
    assert (nearest - cut)[inside].mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["impulse_noise", "jpeg_compression", "motion_blur"])
def test_an_even_image_stays_as_it_is_where_nothing_strikes(name):
    """In floats a level that is blurred or copied may come out below itself; it is not cut to the one below."""
    for level in range(0, 256, 15):
        images = np.full((2, 3, 16, 16), np.float32(level) / np.float32(255))
        cut = stored(corrupt(images, name, 3, rounding="truncate"))
        struck = np.isin(cut, (0, 255)) if name == "impulse_noise" else np.zeros(cut.shape, bool)
        near = 1 if name == "jpeg_compression" else 0  # its steps are coarser than a level
        assert (abs(cut.astype(int) - level)[~struck] <= near).all()


# The public generators, in float64 and written out, on images of 8 bits: x is (H, W, 3), results are in levels.


def contrast(x, factor):
    mean = x.mean(axis=(0, 1), keepdims=True)
    return np.clip((x - mean) * factor + mean, 0, 1) * 255


def brightness(x, amount):
    hsv = rgb2hsv(x)
    hsv[..., 2] = np.clip(hsv[..., 2] + amount, 0, 1)
    return np.clip(hsv2rgb(hsv), 0, 1) * 255


def pixelate(x, share):
    image = Image.fromarray(np.uint8(np.rint(x * 255)))
    small = image.resize((int(x.shape[1] * share), int(x.shape[0] * share)), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BOX)).astype(np.float64)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("published", [contrast, brightness, pixelate], ids=lambda f: f.__name__)
def test_bytes_are_those_of_the_public_generator(published, severity, size):
    images, name = crops(12, size), published.__name__
    table = TABLES["cifar" if size == 32 else "tiny"]
    cut = stored(corrupt(images, name, severity, rounding="truncate"))
    exact = (CPU.to_uint8(images) / 255).astype(np.float64)
    values = np.stack([published(x, *table[name][severity - 1]) for x in exact]).transpose(0, 3, 1, 2)
    # Of a value that is a level but for rounding, the last bits in float64 decide; here such a level is kept.
    missing = abs(values - np.rint(values))
    on_a_level = missing < SLACK / 2
    np.testing.assert_array_equal(cut[on_a_level], np.rint(values)[on_a_level])
    decided = missing > 2 * SLACK
    np.testing.assert_array_equal(cut[decided], np.floor(values)[decided])
    assert (on_a_level | decided).mean() > 0.99


def test_glass_is_cut_between_its_blurs():
    images, (sigma, reach, rounds) = crops(3, 32), (0.4, 1, 2)
    found = blur.glass_blur(images, (sigma, reach, rounds), draws(3), CPU, eight_bit=True)
    first = scipy.ndimage.gaussian_filter(images.astype(np.float64), (0, 0, sigma, sigma), mode="nearest", truncate=4)
    cut = (np.floor(first * 255 + SLACK) / 255).astype(np.float32)
    at = draws(3)
    words = CPU.words(at.key, at.indices, at.view, at.stage, rounds * 32 * 32).reshape(3, rounds, 32, 32)
    moved = CPU.shuffle_pixels(cut, words, reach).astype(np.float64)
    expected = scipy.ndimage.gaussian_filter(moved, (0, 0, sigma, sigma), mode="nearest", truncate=4)
    far = abs(found - expected) > 1e-5
    assert far.mean() < 1e-2  # a level that float32 takes for another one
    assert (abs(found - blur.glass_blur(images, (sigma, reach, rounds), draws(3), CPU)) > 1e-4).any()


def test_motion_blur_is_rounded_as_by_imagemagick():
    images = crops(3, 32)
    smeared = corrupt(images, "motion_blur", 4)
    np.testing.assert_array_equal(stored(corrupt(images, "motion_blur", 4, rounding="truncate")), stored(smeared))


def test_flakes_are_cut_then_drawn_out_then_rounded():
    black = np.zeros((4, 3, 32, 32), np.float32)
    constants = (0.3, 0.3, 1, 0.5, 4, 3, 1.0)  # the whole of the image stays, so that only flakes are seen
    found = weather.snow(black, constants, draws(4), CPU, eight_bit=True)
    at = draws(4).at(purpose=weather.LAYER)
    flakes = CPU.normals(at.key, at.indices, at.view, at.stage, 32 * 32).reshape(4, 1, 32, 32)
    flakes = np.float32(0.3) * flakes + np.float32(0.3)
    flakes = np.where(flakes < np.float32(0.5), 0, np.minimum(flakes, 1))
    cut = (np.floor(flakes * 255) / 255).astype(np.float32)
    half_turns = -0.75 + 0.5 * draws(4).at(purpose=weather.ANGLE).uniforms(1)[:, 0]
    drawn_out = CPU.tap_filter(cut, line_offsets(half_turns, 9), half_gaussian_weights(3, 9), "nearest")
    layer = np.rint(drawn_out.astype(np.float64) * 255) / 255
    far = abs(found - np.repeat(layer + layer[:, :, ::-1, ::-1], 3, axis=1)) > 1e-6
    assert far.mean() < 2e-3  # where float32 and float64 round half a level to two sides


def test_the_stage_takes_those_steps_only_where_it_truncates():
    images = crops(4, 32)
    for name in ("glass_blur", "snow"):
        kept, cut = (corrupt(images, name, 5, rounding=how) for how in ("nearest", "truncate"))
        assert (stored(cut) != np.floor(kept.astype(np.float64) * 255 + SLACK)).any()
    assert Corrupt.Options.model_validate({"types": "fog", "severity": 1}).rounding == "nearest"


def test_blocks_of_two_channels_and_of_one_pixel():
    for shape in ((2, 2, 9, 7), (1, 1, 1, 1)):
        images = (np.random.default_rng(0).integers(0, 256, shape) / 255).astype(np.float32)
        for severity in range(1, 6):
            assert corrupt(images, "pixelate", severity, rounding="truncate").shape == shape
