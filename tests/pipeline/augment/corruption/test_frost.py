"""Frost against what is known of the published one: its textures' statistics, and the distance to the clean image."""

import numpy as np
import pytest

from passband.kernels import backend
from passband.pipeline.augment.corruption.frost import COLOR, frost, frost_texture
from passband.pipeline.augment.corruption.masks import LUMA
from passband.pipeline.augment.corruption.tables import TABLES
from passband.pipeline.sources.photos import PHOTOGRAPHS, region
from tests.pipeline.augment.corruption.pictures import corrupt, draws

CPU = backend("cpu")
PUBLISHED_PSNR = {"cifar": [18.2, 14.9, 13.5, 14.2, 13.9], "imagenet": [12.0, 10.2, 9.8, 10.2, 9.6]}
"""Table -> dB between an image and its frosted form, severities 1 to 5, by the published code and textures."""
# Table -> side of the crops and how many of each photograph.
CROPS = {"cifar": (32, 60), "imagenet": (224, 8)}


def photo_crops(size, number):
    """Return `number` crops of each photograph of the source ``photos``, at drawn places."""
    rng, crops = np.random.default_rng(0), []
    for name in PHOTOGRAPHS:
        pixels = region(name)
        for _ in range(number):
            y, x = (rng.integers(0, side - size + 1) for side in pixels.shape[:2])
            crops.append(pixels[y : y + size, x : x + size])
    return (np.stack(crops).transpose(0, 3, 1, 2) / 255).astype(np.float32)


@pytest.mark.parametrize(("size", "count"), [((32, 32), 2000), ((40, 64), 1000), ((64, 64), 1000), ((224, 224), 250)])
def test_the_texture_has_the_statistics_of_the_published_ones(size, count):
    ice = frost_texture(draws(count, first=1000), 3, *size, CPU).astype(np.float64)
    np.testing.assert_allclose(ice.mean(axis=(0, 2, 3)), [0.563, 0.647, 0.694], atol=0.015)
    assert ice.mean() == pytest.approx(0.635, abs=0.015)
    assert 0.11 <= ice.std(axis=(2, 3)).mean() <= 0.125
    assert ice.mean(axis=(1, 2, 3)).std() == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("table", CROPS)
def test_frost_is_as_far_from_the_image_as_the_published_one(table):
    images = photo_crops(*CROPS[table])
    for severity, published in enumerate(PUBLISHED_PSNR[table], start=1):
        error = corrupt(images, "frost", severity, table).astype(np.float64) - images
        psnr = -10 * np.log10((error**2).mean(axis=(1, 2, 3)))
        assert psnr.mean() == pytest.approx(published, abs=0.5), f"severity {severity}"


@pytest.mark.parametrize("size", [(32, 32), (17, 22), (224, 224), (9, 1), (1, 1)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_texture_is_an_image_of_its_own_for_every_draw(size, channels):
    ice = frost_texture(draws(16), channels, *size, CPU)
    assert ice.shape == (16, channels, *size)
    assert ice.dtype == np.float32
    assert ice.min() >= 0
    assert ice.max() <= 1
    assert len(np.unique(ice.mean(axis=(1, 2, 3)))) == 16


def test_thin_ice_shows_dark_glass_and_thick_ice_is_even():
    ice = frost_texture(draws(400), 1, 64, 64, CPU)
    assert np.corrcoef(ice.mean(axis=(1, 2, 3)), ice.std(axis=(1, 2, 3)))[0, 1] < -0.9


def test_frost_is_a_weighted_sum():
    images = photo_crops(32, 1)
    ice = frost_texture(draws(len(images)), 3, 32, 32, CPU)
    result = frost(images, (0.75, 0.45), draws(len(images)), CPU)
    np.testing.assert_allclose(result, 0.75 * images.astype(np.float64) + 0.45 * ice, atol=1e-6)


def test_gray_frost_is_the_luma_of_colored_frost():
    colored, gray = (frost_texture(draws(200), channels, 16, 16, CPU) for channels in (3, 1))
    unclipped = (colored < 1).all(axis=1, keepdims=True)
    assert unclipped.mean() > 0.9
    np.testing.assert_allclose(gray[unclipped], (LUMA * colored).sum(axis=1, keepdims=True)[unclipped], atol=1e-6)
    red, green, blue = (colored[:, k] for k in range(3))
    assert (red <= green + 1e-6).all()
    assert (green <= blue + 1e-6).all()
    assert COLOR.mean() == pytest.approx(0.635, abs=1e-3)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("table", TABLES)
def test_the_level_varies_from_draw_to_draw_at_every_severity(table, severity):
    black = np.zeros((200, 3, 32, 32), np.float32)
    strength = TABLES[table]["frost"][severity - 1][1]
    means = corrupt(black, "frost", severity, table).mean(axis=(1, 2, 3)) / strength
    assert means.mean() == pytest.approx(0.64, abs=0.03)
    assert means.std() == pytest.approx(0.15, abs=0.02)
