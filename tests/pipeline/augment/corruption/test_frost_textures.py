"""Frost from a user's photographs: which crop is drawn, how it is added, what is refused."""

import gc
import io
import weakref

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from pydantic import ValidationError

from passband.kernels import backend
from passband.pipeline.augment.base import InputFolder
from passband.pipeline.augment.corruption import TABLES, Corrupt
from passband.pipeline.augment.corruption.frost_textures import PLACE, SCALES, FrostTextures, scaled
from passband.pipeline.augment.corruption.masks import LUMA
from tests.pipeline.augment.corruption.pictures import crops, draws

CPU = backend("cpu")
GIVEN = {"types": "frost", "severity": 5, "frost_textures": "windows"}


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def ramp(height, width, kind):
    """Return an image whose pixels tell where they are, (row, column), and of which kind they are."""
    rows, columns = np.indices((height, width), np.uint8)
    return np.stack([rows, columns, np.full((height, width), kind, np.uint8)], axis=-1)


def places(textures, at, channels=3):
    """Return (row, column, kind) of the upper left pixel of each crop of ramps."""
    cut = textures.crops(at, channels)
    return np.rint(255 * cut[:, :, 0, 0]).astype(int), np.rint(255 * cut).astype(np.uint8)


def test_crops_are_pieces_of_the_photographs_drawn_by_three_words():
    contents = {"b.png": encoded(ramp(50, 90, 2)), "a.png": encoded(ramp(80, 60, 1))}
    at = draws(4000)
    found, cut = places(FrostTextures(contents, 1.0, 20, 30), at)
    for kind, (height, width) in {1: (80, 60), 2: (50, 90)}.items():
        mine = found[:, 2] == kind
        assert mine.mean() == pytest.approx(0.5, abs=0.04)
        for axis, free in enumerate((height - 20, width - 30)):  # the last place is left out, as published
            drawn = found[mine, axis]
            assert (drawn.min(), drawn.max()) == (0, free - 1)
            assert drawn.mean() == pytest.approx((free - 1) / 2, rel=0.06)
    y, x = found[:, :2].T
    expected = np.stack(np.broadcast_arrays(
        y[:, None, None] + np.arange(20)[:, None], x[:, None, None] + np.arange(30), found[:, 2, None, None]
    ), axis=1)  # fmt: skip
    np.testing.assert_array_equal(cut, expected)
    words = at.at(purpose=PLACE).words(3).astype(np.int64)
    np.testing.assert_array_equal(found[:, 2] - 1, words[:, 0] * 2 >> 32)
    np.testing.assert_array_equal(y, words[:, 1] * np.where(found[:, 2] == 1, 60, 30) >> 32)


def test_the_order_of_the_files_is_that_of_their_names():
    one, two = encoded(ramp(40, 40, 1)), encoded(ramp(40, 40, 2))
    cut = [FrostTextures(files, 1.0, 32, 32).crops(draws(50), 3) for files in (
        {"a.png": one, "b.png": two}, {"b.png": two, "a.png": one}, {"x.png": one, "y.png": two}
    )]  # fmt: skip
    np.testing.assert_array_equal(cut[0], cut[1])
    np.testing.assert_array_equal(cut[0], cut[2])


def test_a_photograph_of_the_size_of_the_image_is_taken_whole():
    pixels = photograph(32, 32)
    cut = FrostTextures({"a.png": encoded(pixels)}, 1.0, 32, 32).crops(draws(3), 3)
    np.testing.assert_array_equal(cut, np.stack([pixels.transpose(2, 0, 1) / np.float32(255)] * 3))


@pytest.mark.parametrize("scale", [0.2, 0.3])
@pytest.mark.parametrize("size", [(200, 240), (143, 177)])
def test_photographs_are_scaled_bilinearly_without_smoothing(scale, size):
    pixels = photograph(*size)
    found = scaled(pixels, scale)
    shape = tuple(round(side * scale) for side in size)
    assert found.shape == (*shape, 3)
    places = [np.clip((np.arange(side) + 0.5) / scale - 0.5, 0, None) for side in shape]
    grid = np.meshgrid(*places, indexing="ij")
    for channel in range(3):
        exact = scipy.ndimage.map_coordinates(pixels[..., channel].astype(np.float64), grid, order=1, mode="nearest")
        assert abs(found[..., channel] - exact).max() < 0.8  # weights of 11 bits, three roundings


def test_a_fifth_is_every_fifth_pixel():
    pixels = photograph(200, 205)
    np.testing.assert_array_equal(scaled(pixels, 0.2), pixels[2::5, 2::5])


def test_weights_have_eleven_bits_as_in_opencv():
    """0.3: places 1.1667, 4.5, 7.8333, ...; worked by hand for two pixels of a line of alternating rows."""
    pixels = np.zeros((20, 20, 3), np.uint8)
    pixels[:, 2::3] = 255  # pixels 2, 5, 8, ...
    # Pixel 0 lies at 7/6, between pixels 1 and 2: 341 / 2048 of 255; pixel 1 half way between 4 and 5.
    for column, weight in ((0, 341), (1, 1024)):
        line = (255 * weight) >> 4
        parts = [(line * share) >> 16 for share in (1707, 341)]
        assert scaled(pixels, 0.3)[0, column].tolist() == [(sum(parts) + 2) >> 2] * 3


@pytest.mark.parametrize("table", TABLES)
def test_frost_adds_a_crop_to_the_dimmed_image(table):
    size = {"cifar": 32, "tiny": 64, "imagenet": 96}[table]
    images, pixels = crops(6, size), photograph(360, 400)
    options = Corrupt.Options.model_validate(GIVEN)
    made = Corrupt(
        options, shape=(3, size, size), kernels=CPU, inputs={"frost_textures/w.png": encoded(pixels)}
    )  # of the default table of that size
    result = made.apply(images, np.zeros(6), draws(6)).images
    share, strength = TABLES[table]["frost"][4]
    textures = FrostTextures({"w.png": encoded(pixels)}, SCALES[table], size, size)
    cut = textures.crops(draws(6).at(chain=1 + 8), 3).astype(np.float64)  # frost is the ninth corruption
    np.testing.assert_allclose(result, np.clip(share * images + strength * cut, 0, 1), atol=1e-6)
    assert SCALES[table] == {"cifar": 0.2, "tiny": 0.3, "imagenet": 1}[table]


def test_truncated_bytes_are_those_of_the_published_formula():
    images, pixels = crops(6, 32), photograph(300, 300)
    options = Corrupt.Options.model_validate(GIVEN | {"rounding": "truncate"})
    made = Corrupt(options, shape=(3, 32, 32), kernels=CPU, inputs={"frost_textures/w.png": encoded(pixels)})
    found = CPU.to_uint8(made.apply(images, np.zeros(6), draws(6)).images)
    cut = np.rint(255 * FrostTextures({"w.png": encoded(pixels)}, 0.2, 32, 32).crops(draws(6).at(chain=9), 3))
    values = np.clip(0.75 * CPU.to_uint8(images).transpose(0, 3, 1, 2) + 0.45 * cut.astype(np.float64), 0, 255)
    np.testing.assert_array_equal(found, np.floor(values + 1e-9).astype(np.uint8).transpose(0, 2, 3, 1))


def test_other_corruptions_are_left_alone():
    images, contents = crops(8, 32), {"frost_textures/w.png": encoded(photograph(200, 200))}
    given = {"types": ["fog", "snow", "frost"], "severity": 4}
    plain, with_textures = (
        Corrupt(Corrupt.Options.model_validate(options), shape=(3, 32, 32), kernels=CPU, inputs=inputs).apply(
            images, np.zeros(8), draws(8)
        )
        for options, inputs in ((given, {}), (given | {"frost_textures": "w"}, contents))
    )
    frosted = plain.recorded["type"] == 8
    assert 0 < frosted.sum() < 8
    changed = (plain.images != with_textures.images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(changed, frosted)


@pytest.mark.parametrize("channels", [1, 2])
def test_gray_images_take_the_luma(channels):
    textures = FrostTextures({"w.png": encoded(photograph(60, 60))}, 1.0, 32, 32)
    gray, colored = textures.crops(draws(4), channels), textures.crops(draws(4), 3)
    assert gray.shape == (4, channels, 32, 32)
    expected = (LUMA * colored).sum(axis=1, keepdims=True).repeat(channels, axis=1)
    np.testing.assert_allclose(gray, expected, atol=1e-6)


def test_textures_without_frost_are_refused():
    with pytest.raises(ValidationError, match="frost_textures is for frost, which is not among the types fog"):
        Corrupt.Options.model_validate(GIVEN | {"types": "fog"})
    assert Corrupt.inputs(Corrupt.Options.model_validate(GIVEN)) == {"frost_textures": InputFolder("windows")}
    assert Corrupt.inputs(Corrupt.Options.model_validate({"types": "frost", "severity": 1})) == {}


def test_the_folder_is_made_absolute():
    options = Corrupt.Options.model_validate(GIVEN)
    assert options.with_absolute_paths(lambda path: f"/there/{path}").frost_textures == "/there/windows"


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"a.png": (200, 200), "b.png": (159, 400)}, r"b.png is 32x80"),
        ({"a.png": (200, 150), "b.png": (100, 400)}, r"a.png is 40x30, b.png is 20x80 once scaled by 0.2; .* 33x32"),
    ],
)
def test_photographs_smaller_than_the_image_are_named(sizes, message):
    contents = {f"frost_textures/{name}": encoded(photograph(*size)) for name, size in sizes.items()}
    options = Corrupt.Options.model_validate(GIVEN | {"table": "cifar"})
    with pytest.raises(ValueError, match=message):
        Corrupt.check_inputs(options, (3, 33, 32), [], contents)


def test_what_is_no_image_is_named():
    options = Corrupt.Options.model_validate(GIVEN)
    with pytest.raises(ValueError, match=r"frost_textures: broken.png: "):
        Corrupt.check_inputs(options, (3, 32, 32), [], {"frost_textures/broken.png": b"not an image"})


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_photographs_are_shared_by_stages_and_go_with_the_last(scale):
    contents = {"w.png": encoded(photograph(64, 64, seed=77))}
    first, second = (FrostTextures(contents, scale, 32, 32) for _ in range(2))
    assert first.textures[0] is second.textures[0]
    held = weakref.ref(first.textures[0])
    del first
    gc.collect()
    assert held() is not None
    del second
    gc.collect()
    assert held() is None
