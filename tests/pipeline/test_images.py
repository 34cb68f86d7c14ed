import logging
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from passband.pipeline.images import FORMATS, BadImage, enlarges, fit_image, image_size, native_pixels, open_image
from tests.pipeline.imagefiles.pictures import encoded, noise, png, reason


def at(content, x=0, y=0):
    image = open_image(content)
    assert image.mode == "RGB"
    return image.getpixel((x, y))


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_keep_rgb(form):
    image = noise(7, 5)
    content = encoded(image, form, **({"lossless": True} if form == "WEBP" else {}))
    assert image_size(content) == (7, 5)
    np.testing.assert_array_equal(native_pixels(open_image(content)), np.asarray(image))


def test_gray_is_repeated_and_bilevel_becomes_black_and_white():
    image = noise(4, 3, 1)
    np.testing.assert_array_equal(
        native_pixels(open_image(encoded(image))), np.repeat(np.asarray(image)[..., None], 3, axis=2)
    )
    assert at(encoded(Image.new("1", (2, 2), 1))) == (255, 255, 255)
    assert at(encoded(Image.new("L", (2, 2), 77), "JPEG")) == (77, 77, 77)


def test_alpha_is_composited_on_white():
    for color, shown in {
        (255, 0, 0, 255): (255, 0, 0),
        (10, 20, 30, 0): (255, 255, 255),
        (0, 0, 0, 51): (204, 204, 204),  # 255 * (1 - 0.2)
    }.items():
        assert at(encoded(Image.new("RGBA", (3, 2), color))) == shown
        assert at(encoded(Image.new("RGBA", (3, 2), color), "TIFF")) == shown
    assert at(encoded(Image.new("LA", (3, 2), (0, 51)))) == (204, 204, 204)


def test_palettes_are_looked_up_with_their_transparency():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert at(encoded(image), 1) == (40, 50, 60)
    for transparency in (1, b"\xff\x00"):
        content = encoded(image, transparency=transparency)
        assert at(content, 0) == (10, 20, 30)
        assert at(content, 1) == (255, 255, 255)


def test_a_transparent_color_key_shows_white():
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    content = encoded(image, transparency=(1, 2, 3))
    assert at(content, 0) == (255, 255, 255)
    assert at(content, 1) == (9, 9, 9)


def test_animations_show_their_first_frame():
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "lime", "blue")]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        content = encoded(frames[0], form, save_all=True, append_images=frames[1:], **options)
        assert at(content, 2, 2) == (255, 0, 0), form


def test_cmyk_is_converted():
    red, green, blue = at(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert red > 250
    assert max(green, blue) < 5
    assert at(encoded(Image.new("CMYK", (2, 2), (255, 255, 255, 255)), "TIFF")) == (0, 0, 0)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_gray_keeps_the_high_byte(form):
    values = np.array([[0, 255, 256, 32767], [32768, 65279, 65280, 65535]], np.uint16)
    pixels = native_pixels(open_image(encoded(Image.fromarray(values), form)))
    np.testing.assert_array_equal(pixels, np.repeat((values >> 8)[..., None], 3, axis=2))


def test_sixteen_bit_color_keeps_the_high_byte():
    rows = b"\0" + struct.pack(">6H", 0x12FF, 0x3400, 0xFFFF, 0, 0x00FF, 0x8080)
    image = open_image(png(2, 1, 16, 2, rows))
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(0x12, 0x34, 0xFF), (0, 0, 0x80)]


def test_integers_and_floats_have_a_range():
    floats = np.array([[0.0, 0.5, 1.0]], np.float32)
    image = open_image(encoded(Image.fromarray(floats), "TIFF"))
    assert [image.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]  # 127.5 is a tie: to even
    for bad in (1.5, -0.1, np.nan, np.inf):
        content = encoded(Image.fromarray(np.full((2, 2), bad, np.float32)), "TIFF")
        assert reason(content) == "floating-point pixels outside 0..1"
    assert at(encoded(Image.fromarray(np.full((2, 2), 4096, np.int32)), "TIFF")) == (16, 16, 16)
    for bad in (-1, 65536):
        content = encoded(Image.fromarray(np.full((2, 2), bad, np.int32)), "TIFF")
        assert reason(content) == "integer pixels outside 0..65535"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation, form):
    stored = Image.new("RGB", (16, 32), "white")
    stored.paste("black", (0, 0, 8, 8))  # upper left of what is stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = open_image(encoded(stored, form, exif=exif))
    assert image.size == ((16, 32) if orientation < 5 else (32, 16))
    right, bottom = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[
        orientation
    ]
    corners = {
        (x, y): image.getpixel((x * (image.width - 1), y * (image.height - 1)))[0] for x in (0, 1) for y in (0, 1)
    }
    assert min(corners, key=corners.__getitem__) == (right, bottom)
    assert image_size(encoded(stored, form, exif=exif)) == image.size[::-1]
    assert sorted(corners.values())[1] > 200


def test_broken_exif_counts_as_none():
    content = encoded(noise(4, 4), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\xff\xff")
    assert open_image(content).size == (4, 4)


def test_decompression_bombs_are_bad_by_their_header():
    for width, height in ((8001, 8000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)):  # Pillow: silent, warns, raises
        assert reason(png(width, height, 8, 2, b"")) == "more than 64 Mpixel"
    assert reason(png(8000, 8000, 8, 2, b"")).endswith("PNG")  # 64,000,000 pixels are allowed, but not there


def test_bomb_warnings_stay_inside_when_threads_open_at_once():
    bomb = png(10_000, 10_000, 8, 2, b"")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        reasons = set(pool.map(lambda _: reason(bomb), range(200)))
    assert reasons == {"more than 64 Mpixel"}
    assert warnings.filters == before


def test_reasons_are_short_and_stable():
    assert reason(b"") == "empty"
    assert reason(b"plain text") == "not an image of a known format"
    assert reason(encoded(noise(4, 4), "TGA")) == "not an image of a known format"
    whole = encoded(noise(40, 40))
    assert reason(whole[: len(whole) // 2]) == "truncated PNG"
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    assert reason(bytes(flipped)) == "corrupt PNG"
    jpeg = encoded(noise(40, 40), "JPEG")
    assert reason(jpeg[:-200]) == "truncated JPEG"
    assert reason(png(1, 1, 8, 2, b"\x09abc")) == "corrupt PNG"  # no such row filter


@pytest.mark.parametrize("form", FORMATS)
def test_cut_and_flipped_files_only_ever_raise_bad_image(form, caplog):
    caplog.set_level(logging.CRITICAL)
    whole = encoded(noise(20, 30), form)
    tried, reasons = 0, []
    for position in range(0, len(whole), max(1, len(whole) // 60)):
        flipped = bytearray(whole)
        flipped[position] ^= 0x55
        for content in (whole[:position], bytes(flipped)):
            tried += 1
            try:
                open_image(content)
            except BadImage as bad:
                reasons.append(bad.reason)
    assert tried >= 120
    assert len(reasons) >= 30
    assert not [reason for reason in reasons if len(reason) > 50 or "0x" in reason]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from(["crop", "stretch", "pad"]),
)
def test_fitted_images_have_the_size_and_keep_a_constant(h, w, height, width, fit):
    pixels = fit_image(Image.new("RGB", (w, h), (7, 130, 255)), (height, width), fit)
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    inside = pixels.reshape(-1, 3)
    if fit == "pad":
        black = (inside == 0).all(axis=1)
        assert not black.all()
        inside = inside[~black]
    assert (inside == (7, 130, 255)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([8, 17, 32]))
def test_square_crop_is_resize_of_the_shorter_side_then_center_crop(h, w, size):
    image = noise(h, w)
    scale = size / min(h, w)
    scaled = (max(size, int(w * scale + 0.5)), max(size, int(h * scale + 0.5)))
    left, top = (scaled[0] - size) // 2, (scaled[1] - size) // 2
    resized = image.resize(scaled, Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    np.testing.assert_array_equal(fit_image(image, (size, size), "crop"), np.asarray(resized))


def test_fit_known_answers():
    ramp = Image.fromarray(np.broadcast_to(np.arange(6, dtype=np.uint8)[None, :, None] * 10, (2, 6, 3)).copy())
    assert fit_image(ramp, (2, 2), "crop")[0, :, 0].tolist() == [20, 30]
    assert fit_image(ramp, (2, 3), "crop")[0, :, 0].tolist() == [10, 20, 30]  # an odd rest goes to the upper left
    padded = fit_image(Image.new("RGB", (8, 4), "white"), (8, 8), "pad")
    assert padded[:, 0, 0].tolist() == [0, 0, 255, 255, 255, 255, 0, 0]
    image = noise(9, 5)
    for fit in ("crop", "stretch", "pad"):
        np.testing.assert_array_equal(fit_image(image, (9, 5), fit), np.asarray(image))
    with pytest.raises(ValueError, match="crop, stretch and pad"):
        fit_image(image, (9, 5), "squeeze")


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (1, 2_000_000), (3, 5_000_000)])
def test_threads_of_pixels_fit_without_growing(size):
    image = Image.new("RGB", (size[1], size[0]), (7, 130, 255))
    for fit in ("crop", "stretch", "pad"):
        pixels = fit_image(image, (224, 160), fit)
        assert pixels.shape == (224, 160, 3)
        assert tuple(pixels[(224 - 1) // 2, (160 - 1) // 2]) == (7, 130, 255)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_trimmed_thread_is_cropped_about_its_center(extra):
    short, long = (np.zeros((1, length + extra, 3), np.uint8) for length in (101, 300_001))
    short[0, 50], long[0, 150_000] = 255, 255
    expected = fit_image(Image.fromarray(short), (32, 32), "crop")
    assert expected.max() > 250
    np.testing.assert_array_equal(fit_image(Image.fromarray(long), (32, 32), "crop"), expected)
    upright = fit_image(Image.fromarray(long.transpose(1, 0, 2).copy()), (32, 32), "crop")
    np.testing.assert_array_equal(upright, expected.transpose(1, 0, 2))


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_enlarging_is_what_fitting_does(fit):
    for height, width in ((6, 9), (9, 6), (8, 8), (20, 3)):
        for wanted in ((6, 9), (7, 9), (8, 8), (5, 5), (30, 2)):
            ratio = [wanted[0] / height, wanted[1] / width]
            larger = {"crop": max(ratio) > 1, "stretch": max(ratio) > 1, "pad": min(ratio) > 1}[fit]
            assert enlarges((height, width), wanted, fit) == larger, (height, width, wanted)
            white = fit_image(Image.new("RGB", (width, height), "white"), wanted, fit)[..., 0] > 0
            grown = white.any(1).sum() > height or white.any(0).sum() > width
            assert grown <= larger  # of the crop that is left some enlargement may not show
