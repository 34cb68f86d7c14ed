import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from passband.pipeline.encodings.codec import ENCODINGS, Jpeg, WebP, decode_npy, encode_npy
from passband.pipeline.encodings.png import encode_png

LOSSLESS = [name for name, encoding in ENCODINGS.items() if encoding.lossless]
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))
PIXELS = SIZES.flatmap(lambda shape: arrays(np.uint8, shape))


def photo(size=64):
    from skimage import data

    return np.asarray(Image.fromarray(data.astronaut()).resize((size, size - 3), Image.Resampling.BILINEAR))


def noise(number, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, height, width, 3), dtype=np.uint8)


def smooth(height, width):
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 2)
    return np.stack([ramp, ramp // 2, 255 - ramp], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("name", LOSSLESS)
@given(pixels=PIXELS)
def test_lossless_encodings_give_the_pixels_back(name, pixels):
    encoding = ENCODINGS[name]
    encoded = encoding.encode(pixels)
    decoded = encoding.decode(encoded)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)
    assert encoding.encode_batch(np.stack([pixels, pixels[::-1]]))[0] == encoded


@pytest.mark.parametrize("name", sorted(ENCODINGS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (31, 33), (224, 224)])
def test_every_encoding_keeps_the_shape_and_constant_images(name, shape):
    encoding = ENCODINGS[name]
    for gray in (0, 77, 255):
        pixels = np.full((*shape, 3), gray, np.uint8)
        np.testing.assert_array_equal(encoding.decode(encoding.encode(pixels)), pixels)


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_bytes_do_not_depend_on_batch_or_thread_or_memory_layout(name):
    encoding = ENCODINGS[name]
    batch = np.concatenate([noise(20, 32, 31), np.repeat(noise(20, 1, 31, seed=1), 32, axis=1)])
    expected = [encoding.encode(pixels) for pixels in batch]
    assert encoding.encode_batch(batch) == expected
    assert encoding.encode_batch(batch[::-1])[::-1] == expected
    assert encoding.encode_batch(np.asfortranarray(batch)) == expected
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(encoding.encode, batch)) == expected
    assert encoding.encode_batch(batch[:0]) == []


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 1), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0, 3), np.uint8),
    ],
    ids=["grey", "one-channel", "float", "no-rows", "no-columns"],
)
@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_what_is_no_rgb_image_is_refused(name, pixels):
    with pytest.raises(ValueError, match="expected .* uint8"):
        ENCODINGS[name].encode(pixels)


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_libraries_have_versions(name):
    libraries = ENCODINGS[name].libraries()
    assert all(version and version != "None" for version in libraries.values())


@given(pixels=PIXELS)
def test_png_is_read_by_pillow_with_equal_pixels(pixels):
    for image in (pixels, np.maximum.accumulate(pixels, axis=0)):
        with Image.open(io.BytesIO(encode_png(image[None])[0])) as opened:
            assert opened.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(opened), image)


@pytest.mark.parametrize("pixels", [*noise(2, 9, 17), smooth(40, 30), photo(), np.zeros((300, 301, 3), np.uint8)])
def test_png_is_read_by_opencv_with_equal_pixels(pixels):
    cv2 = pytest.importorskip("cv2", reason="OpenCV comes with the extra ffcv")
    decoded = cv2.imdecode(np.frombuffer(ENCODINGS["png"].encode(pixels), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[..., ::-1], pixels)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_png_of_others_is_read(mode):
    image = Image.fromarray(photo()).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    np.testing.assert_array_equal(ENCODINGS["png"].decode(buffer.getvalue()), np.asarray(image.convert("RGB")))


def test_png_is_about_as_small_as_pillow_makes_it():
    stroke = np.zeros((32, 32, 3), np.uint8)
    stroke[8:24, 14:18] = photo(96)[8:24, 14:18].mean(axis=-1, keepdims=True)
    color = np.broadcast_to(np.uint8([10, 200, 90]), (64, 64, 3))
    for pixels, limit in ((photo(224), 1.05), (noise(1, 32, 32)[0], 1.01), (stroke, 1.1), (color, 1.2)):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        assert len(ENCODINGS["png"].encode(pixels)) <= limit * len(buffer.getvalue())


@pytest.mark.parametrize("pixels", [noise(1, 5, 6)[0], smooth(12, 9)], ids=["noise", "smooth"])
def test_any_flipped_byte_of_a_png_is_noticed(pixels):
    encoded = ENCODINGS["png"].encode(pixels)
    for position in range(len(encoded)):
        for change in (1, 0x20, 0x80):
            broken = bytearray(encoded)
            broken[position] ^= change
            with pytest.raises(ValueError, match="PNG"):
                ENCODINGS["png"].decode(bytes(broken))


@pytest.mark.parametrize("name", ["png", "webp", "jpeg", "npy"])
def test_a_truncated_image_is_noticed(name):
    encoding = ENCODINGS[name]
    encoded = encoding.encode(noise(1, 8, 8)[0])
    for end in {*range(0, len(encoded) - 2, 7), len(encoded) // 2, len(encoded) - 3}:
        with pytest.raises(ValueError, match=r"(?i)png|webp|jpeg|npy"):
            encoding.decode(encoded[:end])


def test_bytes_after_a_png_are_noticed():
    with pytest.raises(ValueError, match="1 bytes after the end"):
        ENCODINGS["png"].decode(ENCODINGS["png"].encode(noise(1, 3, 3)[0]) + b"\0")


def png_file(width, height, rows, *, depth=8, color=2):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("rows", [b"", b"\0" * 20, b"\0" * 22, b"\0" * 10_000_000])
def test_png_with_too_little_or_too_much_in_it_is_refused(rows):
    assert ENCODINGS["png"].decode(png_file(2, 3, b"\0" * 21)).shape == (3, 2, 3)
    with pytest.raises(ValueError, match="not 21 bytes long"):
        ENCODINGS["png"].decode(png_file(2, 3, rows))


def test_png_with_mixed_filters_is_read_by_pillow():
    rows = b"\x00\x05\x06\x07\x01\x02\x03" + b"\x01\x05\x06\x07\x01\x02\x03" + b"\x02\x01\x01\x01\x01\x01\x01"
    expected = [[[5, 6, 7], [1, 2, 3]], [[5, 6, 7], [6, 8, 10]], [[6, 7, 8], [7, 9, 11]]]
    np.testing.assert_array_equal(ENCODINGS["png"].decode(png_file(2, 3, rows)), expected)


def test_webp_keeps_nothing_but_gets_smaller_with_effort():
    pixels = photo(128)
    fast, small = WebP(0).encode(pixels), WebP(4).encode(pixels)
    assert len(small) < len(fast)
    np.testing.assert_array_equal(WebP().decode(small), pixels)


def test_jpeg_is_close_and_keeps_color_resolution():
    pixels = photo(128)
    encoded = Jpeg(95).encode(pixels)
    error = Jpeg().decode(encoded).astype(float) - pixels
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 38
    with Image.open(io.BytesIO(encoded)) as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # sampling factors: 4:4:4
    assert len(Jpeg(50).encode(pixels)) < len(encoded) / 2


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_impossible_jpeg_quality_is_refused(quality):
    with pytest.raises(ValueError, match=f"quality {quality}"):
        Jpeg(quality)


STACKS = st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 9), st.just(3))


@given(array=STACKS.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_npy_is_what_numpy_writes(array):
    encoded = encode_npy(array)
    expected = io.BytesIO()
    np.save(expected, array)
    assert encoded == expected.getvalue()
    np.testing.assert_array_equal(decode_npy(encoded), array)


@given(array=SIZES.flatmap(lambda shape: arrays(np.float16, shape)))
def test_npy_keeps_half_floats_to_the_bit(array):
    decoded = decode_npy(encode_npy(array))
    assert decoded.dtype == np.float16
    assert decoded.tobytes() == array.tobytes()
    assert np.load(io.BytesIO(encode_npy(array)), allow_pickle=False).tobytes() == array.tobytes()
    assert encode_npy(array.astype(">f2")) == encode_npy(array)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, object, "U3"])
def test_npy_of_another_dtype_is_refused_both_ways(dtype):
    array = np.zeros((2, 2, 3), dtype)
    with pytest.raises(ValueError, match="npy: dtype"):
        encode_npy(array)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=dtype is object)
    with pytest.raises(ValueError, match="npy"):
        decode_npy(buffer.getvalue())


def test_npy_in_another_order_or_with_a_wrong_length_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(noise(1, 4, 5)[0]))
    with pytest.raises(ValueError, match="C order"):
        decode_npy(buffer.getvalue())
    with pytest.raises(ValueError, match="the header says"):
        decode_npy(encode_npy(noise(1, 4, 5)[0]) + b"\0")
    with pytest.raises(ValueError, match="npy"):
        decode_npy(b"\x93NUMPY\x01\x00")
