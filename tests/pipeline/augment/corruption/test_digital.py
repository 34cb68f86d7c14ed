"""Contrast, elastic transform, pixelation and JPEG: known answers and the libraries that define them."""

import io

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from PIL import Image

from passband.kernels import backend, reference
from passband.pipeline.augment import Draws
from passband.pipeline.augment.corruption import digital
from passband.pipeline.augment.corruption.masks import gaussian_weights
from passband.pipeline.augment.corruption.tables import TABLES

CPU = backend("cpu")
SIZES = [(32, 32), (17, 22), (9, 1), (1, 1)]
QUALITIES = sorted({quality for table in TABLES.values() for (quality,) in table["jpeg_compression"]})
SHARES = sorted({share for table in TABLES.values() for (share,) in table["pixelate"]})


def draws(count):
    return Draws(3, np.arange(count, dtype=np.uint32), view=1).at(position=1, chain=12)


def photos(count, channels=3, height=32, width=32):
    """Return images whose pixels are multiples of 1/255."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, channels, height, width)).astype(np.float32) / np.float32(255)


def smooth(count, size=32):
    """Return grey images of slow waves between 0.3 and 0.7."""
    phase = np.random.default_rng(1).uniform(0, 6, (count, 2, 1, 1))
    line = np.arange(size) * 2 * np.pi / size
    waves = np.sin(line[:, None] + phase[:, 0]) * np.cos(2 * line + phase[:, 1])
    return (0.5 + 0.2 * waves).astype(np.float32)[:, None]


# Contrast


def test_contrast_keeps_the_mean_of_every_channel_and_scales_its_deviation():
    images = photos(5, 3, 17, 22)
    result = digital.contrast(images, (0.3,), draws(5), CPU).astype(np.float64)
    np.testing.assert_allclose(result.mean(axis=(2, 3)), images.mean(axis=(2, 3), dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(result.std(axis=(2, 3)), 0.3 * images.astype(np.float64).std(axis=(2, 3)), atol=1e-6)


# Pixelate


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (16, 48)])
@pytest.mark.parametrize("share", SHARES)
def test_pixelate_is_the_box_filter_of_pillow(share, size):
    images = photos(2, 3, *size)
    result = digital.pixelate(images, (share,), draws(2), CPU)
    for image, made in zip(images, result, strict=True):
        pixels = Image.fromarray(np.rint(image.transpose(1, 2, 0) * 255).astype(np.uint8))
        small = pixels.resize((int(size[1] * share), int(size[0] * share)), Image.Resampling.BOX)
        expected = np.asarray(small.resize(pixels.size, Image.Resampling.BOX)).transpose(2, 0, 1)
        assert abs(made * 255 - expected).max() <= 1.01  # Pillow rounds rows, then columns


def test_a_block_that_ends_in_mid_pixel_takes_the_pixel():
    """17 pixels in 10 blocks: the fifth ends at 8.5. Pixel 7 shows it; in Pillow's floats pixel 8 is in no block."""
    line = np.zeros((1, 1, 1, 17), np.float32)
    line[..., 8] = 1
    for kernels in (CPU, reference):
        assert np.flatnonzero(kernels.pixelate(line, 1, 10)).tolist() == [7]


@pytest.mark.parametrize("size", range(1, 34))
def test_blocks_of_every_number_are_those_of_the_reference(size):
    """Which finds them by comparing centers, and shares no line with the backends (`kernels.blocks`)."""
    lines = np.eye(size, dtype=np.float32)[:, None, None]
    for count in range(1, size + 1):
        expected = reference.pixelate(lines, 1, count)
        np.testing.assert_allclose(CPU.pixelate(lines, 1, count), expected, rtol=0, atol=1e-7)


def test_pixels_of_a_block_are_its_mean():
    images = photos(3, 3, 12, 8)
    means = images.reshape(3, 3, 6, 2, 4, 2).mean(axis=(3, 5))
    result = CPU.pixelate(images, 6, 4)
    np.testing.assert_allclose(result, means.repeat(2, 2).repeat(2, 3), atol=1e-6)
    np.testing.assert_array_equal(CPU.pixelate(result, 6, 4), result)


def test_as_many_blocks_as_pixels_change_nothing():
    images = photos(2, 3, 9, 7)
    np.testing.assert_array_equal(CPU.pixelate(images, 9, 7), images)


@pytest.mark.parametrize(("height", "width", "named"), [(0, 4, "height is 0"), (9, 4, "height is 9"), (8, 9, "width")])
def test_a_number_of_blocks_that_does_not_fit_is_refused(height, width, named):
    for kernels in (CPU, reference):
        with pytest.raises(ValueError, match=named):
            kernels.pixelate(np.zeros((1, 1, 8, 8), np.float32), height, width)


# JPEG


@pytest.mark.parametrize("quality", QUALITIES)
def test_jpeg_is_the_one_of_pillow_with_half_the_chroma(quality):
    images = photos(3, 3, 17, 22)
    result = digital.jpeg_compression(images, (quality,), draws(3), CPU)
    for image, made in zip(images, result, strict=True):
        pixels = Image.fromarray(np.rint(image.transpose(1, 2, 0) * 255).astype(np.uint8))
        read = []
        for subsampling in ("4:2:0", "4:4:4"):
            buffer = io.BytesIO()
            pixels.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
            read.append(np.asarray(Image.open(buffer)).transpose(2, 0, 1) / np.float32(255))
        np.testing.assert_array_equal(made, read[0])
        assert (made != read[1]).any()


@pytest.mark.parametrize("quality", [7, 25, 50])
def test_jpeg_leaves_multiples_of_its_quantization_table(quality):
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
    table = np.array(Image.open(buffer).quantization[0]).reshape(8, 8)
    result = digital.jpeg_compression(smooth(4), (quality,), draws(4), CPU)
    blocks = np.rint(result * 255).reshape(4, 4, 8, 4, 8).swapaxes(2, 3) - 128
    levels = scipy.fft.dctn(blocks, axes=(3, 4), norm="ortho") / table
    # Pixels are whole numbers; the roundings of a regular pattern move a coefficient by up to 2.
    assert (abs(levels - np.rint(levels)) < 2.5 / table).all()
    assert (np.rint(levels) == 0).mean() > 0.5
    assert (np.rint(levels) != 0).any()


@pytest.mark.parametrize("quality", [7, 80])
def test_jpeg_keeps_a_gray_level_to_half_a_step(quality):
    """The mean of a block is stored in steps of table[0, 0] / 8 grey levels."""
    level = np.float32(100 / 255)
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
    step = Image.open(buffer).quantization[0][0] / 8
    result = digital.jpeg_compression(np.full((1, 1, 16, 16), level), (quality,), draws(1), CPU)
    assert np.ptp(result) == 0
    assert abs(result[0, 0, 0, 0] - level) * 255 <= step / 2 + 0.51


def test_jpeg_of_two_channels_is_refused():
    with pytest.raises(ValueError, match="jpeg_compression: needs images of 1 or 3 channels, got 2"):
        digital.jpeg_compression(photos(1, 2), (50,), draws(1), CPU)


# Elastic transform


@pytest.mark.parametrize("size", [(32, 32), (17, 22), (2, 9)])
def test_shifted_corners_show_what_the_corners_showed(size):
    rng = np.random.default_rng(0)
    shifts = rng.uniform(-0.3, 0.3, (6, 3, 2))
    side = max(1, min(size) // 3)
    center = np.array([size[0] // 2, size[1] // 2])
    corners = center + side * np.array([[1, 1], [-1, 1], [-1, -1]])
    displacement = digital.affine_displacement(shifts, *size)
    grid = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
    for n in range(6):
        moved = np.column_stack([corners + shifts[n], np.ones(3)])
        inverse = np.linalg.solve(moved, corners)  # (y, x, 1) @ inverse = where the image is read
        expected = np.concatenate([grid, np.ones((*size, 1))], axis=-1) @ inverse
        np.testing.assert_allclose(grid - displacement[n].transpose(1, 2, 0), expected, atol=1e-9)


def test_corners_that_stay_leave_the_image():
    images = photos(3)
    assert abs(digital.affine_displacement(np.zeros((3, 3, 2)), 32, 32)).max() < 1e-12
    np.testing.assert_allclose(digital.elastic_transform(images, (0, 0, 0), draws(3), CPU), images, atol=1e-6)


def test_corners_in_line_stay_finite():
    shifts = np.zeros((1, 3, 2))
    shifts[0, 0] = [-20, -20]  # of a square of side 20: the lower right corner falls on the upper left one
    assert np.isfinite(digital.affine_displacement(shifts, 32, 32)).all()


def test_a_smooth_image_moves_with_its_corners():
    """On a plane the transform is exact: the plane at the place that is read."""
    y, x = np.indices((33, 33), np.float32)
    plane = ((2 * y + x) / 100)[None, None].repeat(4, 0)
    at = draws(4)
    result = digital.elastic_transform(plane, (0, 0, 1.5), at, CPU)
    shifts = 1.5 * (2 * at.at(purpose=digital.CORNERS).uniforms(6).reshape(4, 3, 2) - 1)
    dy, dx = np.moveaxis(digital.affine_displacement(shifts, 33, 33), 1, 0)
    expected = plane[:, 0] - (2 * dy + dx) / 100
    inside = (slice(None), slice(8, 25), slice(8, 25))
    np.testing.assert_allclose(result[:, 0][inside], expected[inside], atol=1e-5)
    assert abs(dy).max() > 0.5


@pytest.mark.parametrize("sigma", [0.7, 2.4, 20.0])
def test_the_blur_is_the_gaussian_of_scipy(sigma):
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 2, 17, 22)).astype(np.float32)
    result = CPU.separable_blur(noise, gaussian_weights(sigma, int(3 * sigma + 0.5)))
    expected = scipy.ndimage.gaussian_filter(noise.astype(np.float64), sigma, mode="reflect", truncate=3, axes=(2, 3))
    np.testing.assert_allclose(result, expected, atol=1e-7)


def test_pixels_move_as_far_as_blurred_noise_does():
    """Variance amplitude^2 / 3 (sum w^2)^2: on a ramp, displacement becomes brightness."""
    amplitude, sigma, size = 6.0, 1.5, 64
    ramp = (np.arange(size, dtype=np.float32) / size)[None, None, None].repeat(size, 2).repeat(32, 0)
    result = digital.elastic_transform(ramp, (amplitude, sigma, 0), draws(32), CPU)
    moved = ((result - ramp) * size)[..., 8:-8]
    weights = gaussian_weights(sigma, 5)
    assert moved.std() == pytest.approx(amplitude / 3**0.5 * (weights**2).sum(), rel=0.05)
    assert abs(moved.mean()) < 0.05


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.2, 0.5, 0.3], []])
def test_weights_that_are_not_symmetric_are_refused(weights):
    for kernels in (CPU, reference):
        with pytest.raises(ValueError, match="weights: needs an odd number"):
            kernels.separable_blur(np.zeros((1, 1, 4, 4), np.float32), np.array(weights))


@pytest.mark.parametrize(("border", "expected"), [("reflect", [1, 0, 0, 1, 2, 2]), ("mirror", [2, 1, 0, 1, 2, 1])])
def test_borders_are_reflected(border, expected):
    """An image 0 1 2, read from two pixels before its begin to one after its end."""
    image = np.array([0, 1, 2, 0, 0, 0], np.float32)[None, None, None, :3].copy()
    read = []
    for start in (-2, 1):
        displacement = np.zeros((1, 2, 1, 3), np.float32)
        displacement[:, 1] = -start
        read += CPU.warp_reflected(image, displacement, border)[0, 0, 0].tolist()
    assert read == expected


def test_an_unknown_border_is_refused():
    for kernels in (CPU, reference):
        with pytest.raises(ValueError, match="border is 'wrap'"):
            kernels.warp_reflected(np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 2, 4, 4), np.float32), "wrap")


# All of them


@pytest.mark.parametrize("name", digital.DIGITAL)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_gives_finite_float32(name, table, channels, size):
    for constants in TABLES[table][name]:
        result = digital.DIGITAL[name](photos(3, channels, *size), constants, draws(3), CPU)
        assert result.dtype == np.float32
        assert result.shape == (3, channels, *size)
        assert np.isfinite(result).all()
