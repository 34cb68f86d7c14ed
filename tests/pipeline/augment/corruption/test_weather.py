"""Snow, frost, fog and brightness: known answers, one for each step."""

import numpy as np
import pytest
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from scipy import stats

from passband.kernels import backend, reference
from passband.pipeline.augment import Draws
from passband.pipeline.augment.corruption import weather
from passband.pipeline.augment.corruption.tables import TABLES

CPU = backend("cpu")
SIZES = [(32, 32), (17, 22), (9, 1), (1, 1)]


def draws(count):
    return Draws(3, np.arange(count, dtype=np.uint32), view=1).at(position=1, chain=8)


def photos(count, channels=3, height=32, width=32):
    return np.random.default_rng(0).random((count, channels, height, width), np.float32)


# Brightness


@pytest.mark.parametrize("amount", [0.05, 0.3, 0.5])
def test_brightness_raises_the_value_of_hsv(amount):
    images = photos(4)
    hsv = rgb_to_hsv(images.transpose(0, 2, 3, 1).astype(np.float64))
    hsv[..., 2] = np.clip(hsv[..., 2] + amount, 0, 1)
    result = weather.brightness(images, (amount,), draws(4), CPU)
    np.testing.assert_allclose(result, hsv_to_rgb(hsv).transpose(0, 3, 1, 2), atol=2e-7)


def test_brightness_of_black_and_of_nearly_black():
    images = np.zeros((1, 3, 1, 3), np.float32)
    images[0, :, 0, 1] = 1e-42, 0, 0
    images[0, :, 0, 2] = 0.9, 0.6, 0.3
    result = weather.brightness(images, (0.25,), draws(1), CPU)[0, :, 0].T
    np.testing.assert_allclose(result, [[0.25] * 3, [0.25, 0, 0], [1, 2 / 3, 1 / 3]], atol=1e-7)


# The fractal


@pytest.mark.parametrize("kernels", [CPU, reference])
def test_a_fractal_worked_by_hand(kernels):
    """Centre 0.8; the middles of the sides are half of it plus their noise: 0.2 and 0.8; the corner is 0."""
    noise = np.array([[[9, -0.2], [0.4, 0.8]]], np.float32)
    expected = np.array([[0, 0.2], [0.8, 0.8]]) / 0.8
    np.testing.assert_allclose(kernels.plasma_fractal(noise, 2.0)[0], expected, atol=1e-6)


@pytest.mark.parametrize("kernels", [CPU, reference])
@pytest.mark.parametrize("decay", [1.25, 2.0, 3.0])
def test_noise_falls_by_the_square_of_the_decay(kernels, decay):
    noise = np.zeros((1, 4, 4), np.float32)
    noise[0, 2, 2], noise[0, 1, 1] = 1, 0.5  # the first centre, then one of the four of the next level
    expected = (0 + 1 / 2 + 1 / 2 + 1) / 4 + 0.5 / decay**2
    np.testing.assert_allclose(kernels.plasma_fractal(noise, decay)[0, 1, 1], expected / max(1, expected), atol=1e-6)


def test_a_fractal_has_no_seam_and_spans_the_unit_interval():
    noise = np.random.default_rng(0).uniform(-1, 1, (64, 32, 32)).astype(np.float32)
    heights = CPU.plasma_fractal(noise, 2.0)
    assert (heights.min(axis=(1, 2)) == 0).all()
    assert (heights.max(axis=(1, 2)) == 1).all()
    steps = abs(np.diff(heights, axis=1, append=heights[:, :1])).mean(axis=(0, 2))
    assert steps[-1] < 1.2 * steps[:-1].max()


def test_a_flat_fractal_is_zero():
    for kernels in (CPU, reference):
        assert (kernels.plasma_fractal(np.zeros((2, 8, 8), np.float32), 2.0) == 0).all()


@pytest.mark.parametrize("shape", [(2, 4), (1, 4, 8), (1, 6, 6), (1, 1, 1)])
def test_fractal_noise_of_another_shape_is_refused(shape):
    for kernels in (CPU, reference):
        with pytest.raises(ValueError, match="noise: needs"):
            kernels.plasma_fractal(np.zeros(shape, np.float32), 2.0)


# Fog


@pytest.mark.parametrize("size", SIZES)
def test_fog_is_between_the_image_and_white_scaled_back(size):
    images = photos(5, 3, *size)
    strength = 1.5
    largest = images.max(axis=(1, 2, 3), keepdims=True)
    result = weather.fog(images, (strength, 1.75), draws(5), CPU)
    least = images * largest / (largest + strength)
    assert (result >= least - 1e-6).all()
    assert (result <= least + strength * largest / (largest + strength) + 1e-6).all()


def test_fog_adds_the_same_haze_to_every_channel():
    images = photos(3)
    strength = np.float32(0.75)
    largest = images.max(axis=(1, 2, 3), keepdims=True)
    result = weather.fog(images, (strength, 2.5), draws(3), CPU)
    haze = (result * (largest + strength) / largest - images) / strength
    np.testing.assert_allclose(haze, haze[:, :1].repeat(3, 1), atol=1e-5)
    assert haze.min() == pytest.approx(0, abs=1e-5)
    assert haze.max() == pytest.approx(1, abs=1e-5)


def test_fog_leaves_black_black():
    assert (weather.fog(np.zeros((2, 3, 8, 8), np.float32), (1, 2), draws(2), CPU) == 0).all()


# Snow


def test_snow_without_flakes_whitens():
    images, share = photos(4), np.float32(0.8)
    result = weather.snow(images, (0, 0, 1, 0.5, 8, 3, share), draws(4), CPU)
    red, green, blue = np.moveaxis(images, 1, 0)
    gray = (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]
    expected = share * images + (1 - share) * np.maximum(images, 1.5 * gray + 0.5)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def flakes(constants, count=64, size=64):
    """Return the two layers of flakes that fall on black."""
    return weather.snow(np.zeros((count, 3, size, size), np.float32), constants, draws(count), CPU) - np.float32(
        0.5 * (1 - constants[-1])
    )


def test_as_much_snow_falls_as_the_normal_distribution_has_above_the_threshold():
    mean, deviation, _, threshold, *_ = constants = (0.3, 0.3, 1, 0.65, 4, 3, 0.8)
    law = stats.norm(mean, deviation)
    expected = law.expect(lambda x: min(x, 1), lb=threshold)
    assert flakes(constants).mean() == pytest.approx(2 * expected, rel=0.02)


def test_snow_falls_both_ways_alike():
    layers = flakes((0.3, 0.3, 1.25, 0.65, 8, 6, 0.8), 4)
    np.testing.assert_allclose(layers, layers[:, :, ::-1, ::-1], atol=1e-6)


def test_flakes_are_drawn_out_along_their_fall():
    layers = flakes((0.1, 0.3, 1, 0.6, 8, 6, 0.8))[:, 0].astype(np.float64)
    layers -= layers.mean()
    down, across = (layers[:, 4:] * layers[:, :-4]).mean(), (layers[:, :, 4:] * layers[:, :, :-4]).mean()
    assert down > 3 * abs(across)


def test_larger_zoom_makes_larger_flakes():
    fine, coarse = (flakes((0.3, 0.3, zoom, 0.5, 1, 0.01, 0.8)) for zoom in (1, 4))
    assert np.abs(np.diff(coarse)).mean() < 0.5 * np.abs(np.diff(fine)).mean()


# All of them


@pytest.mark.parametrize("name", weather.WEATHER)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_gives_finite_float32(name, table, channels, size):
    for constants in TABLES[table][name]:
        result = weather.WEATHER[name](photos(3, channels, *size), constants, draws(3), CPU)
        assert result.dtype == np.float32
        assert result.shape == (3, channels, *size)
        assert np.isfinite(result).all()
