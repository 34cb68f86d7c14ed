"""Damage in JPEG files: against libjpeg's own warnings, which torchvision lets through to the standard error."""

import io
import itertools
import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from passband.pipeline.imagefiles import jpeg, jpeg_scan, png
from passband.pipeline.images import BadImage, image_size, native_pixels, open_image
from tests.pipeline.imagefiles.pictures import case, encoded, reason, waves

KINDS = {
    "baseline": {},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
    "progressive restarts": {"progressive": True, "restart_marker_blocks": 3},
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
}
EOI = b"\xff\xd9"


def written(height=48, width=64, channels=3, **options):
    return encoded(waves(height, width, channels), "JPEG", **options)


def coded(content):
    """Return where the coded bytes of the first scan begin."""
    at = content.index(b"\xff\xda")
    return at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def is_good(content):
    try:
        open_image(content)
    except BadImage:
        return False
    return True


@pytest.fixture
def warns(capfd):
    """Return a function that tells whether libjpeg warns of damage, or fails."""
    import torch
    from torchvision.io import decode_jpeg

    def ask(content):
        capfd.readouterr()
        try:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of torchvision's decoders
                decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        except RuntimeError:
            return True
        return re.search("Corrupt JPEG|Premature end|Inconsistent progression", capfd.readouterr().err) is not None

    return ask


def every_kind():
    sizes = [(1, 1), (1, 9), (9, 1), (8, 8), (16, 16), (17, 33), (48, 64), (7, 250)]
    for (height, width), progressive, optimize, restart, quality in itertools.product(
        sizes, (False, True), (False, True), (0, 1, 7), (1, 30, 75, 100)
    ):
        options = {"progressive": progressive, "optimize": optimize, "quality": quality}
        options |= {"restart_marker_blocks": restart} if restart else {}
        for channels, subsampling in ((1, -1), (3, 0), (3, 1), (3, 2), (4, -1)):
            yield height, width, written(height, width, channels, subsampling=subsampling, **options)


def test_good_files_are_good_and_keep_their_pixels():
    count = 0
    for height, width, content in every_kind():
        pixels = native_pixels(open_image(content))
        assert image_size(content) == pixels.shape[:2] == (height, width)
        if count % 10 == 0:
            with Image.open(io.BytesIO(content)) as image:
                np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
        count += 1
    assert count == 8 * 2 * 2 * 3 * 4 * 5


def test_files_of_opencv_are_good():
    cv2 = pytest.importorskip("cv2", reason="OpenCV comes with the extra ffcv")
    pixels, count = np.asarray(waves(33, 50)), 0
    for progressive, optimize, restart, sampling, quality in itertools.product(
        (0, 1), (0, 1), (0, 3), (0x111111, 0x211111, 0x221111, 0x121111, 0x411111), (5, 50, 99)
    ):
        options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_OPTIMIZE, optimize]
        options += [cv2.IMWRITE_JPEG_RST_INTERVAL, restart, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        _, content = cv2.imencode(".jpg", pixels, [*options, cv2.IMWRITE_JPEG_QUALITY, quality])
        assert open_image(content.tobytes()).size == (50, 33)
        count += 1
    assert count == 120


def test_cases():
    assert reason(case("early_eoi.jpg")) == "corrupt JPEG: data ends before the pixels do"
    for name in ("midzero.jpg", "tailzero.jpg"):
        assert reason(case(name)) == "corrupt JPEG: data left over after the pixels"
    assert open_image(case("noeoi.jpg")).size == (64, 64)
    assert open_image(case("a.mpo.jpg")).getpixel((0, 0)) == (254, 0, 0)


def test_libjpeg_warns_of_the_cases_and_not_of_good_files(warns):
    assert all(warns(case(name)) for name in ("early_eoi.jpg", "midzero.jpg", "tailzero.jpg"))
    assert not any(warns(written(**options)) for options in KINDS.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quality", [30, 90])
def test_what_libjpeg_warns_of_is_bad(kind, quality, warns):
    whole = written(quality=quality, **KINDS[kind])
    rng = np.random.default_rng([quality, *kind.encode()])
    start, end, warned = coded(whole), len(whole) - 2, 0
    for _ in range(60):
        at, count = int(rng.integers(start, end)), int(rng.integers(1, 400))
        flipped, zeroed = bytearray(whole), bytearray(whole)
        flipped[at] ^= 1 << int(rng.integers(8))
        zeroed[at : min(at + count, end)] = bytes(min(at + count, end) - at)
        for damaged in (flipped, zeroed, whole[:at] + whole[min(at + count, end) :], whole[:at] + EOI):
            if warns(bytes(damaged)):
                warned += 1
                assert not is_good(bytes(damaged))
    assert warned > 120


@pytest.mark.parametrize("kind", KINDS)
def test_what_libjpeg_warns_of_in_the_headers_is_bad(kind, warns):
    whole, warned = written(**KINDS[kind]), 0
    for at in range(2, coded(whole), 3):
        for bit in range(0, 8, 3):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            if warns(bytes(damaged)):
                warned += 1
                assert not is_good(bytes(damaged)), (at, bit)
    assert warned > 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_is_truncated_but_that_of_the_end_marker(kind):
    whole = written(24, 32, **KINDS[kind])
    for cut in range(3, len(whole) - 2):
        assert reason(whole[:cut]) == "truncated JPEG"
    expected = native_pixels(open_image(whole))
    for cut in (len(whole) - 2, len(whole) - 1):
        np.testing.assert_array_equal(native_pixels(open_image(whole[:cut])), expected)
    for end in (b"\0" * 40, b"\xff\0" * 9, b"text", b"\0"):
        assert reason(whole[:-2] + end) == "corrupt JPEG: data left over after the pixels"


@pytest.mark.parametrize("kind", ["baseline", "optimized", "restarts", "4:4:4", "4:2:2"])
def test_an_end_marker_in_the_coded_bytes_is_damage_wherever_it_stands(kind):
    whole = written(24, 32, **KINDS[kind])
    for cut in range(coded(whole), len(whole) - 3):
        assert reason(whole[:cut] + EOI).startswith("corrupt JPEG: ")


def test_what_follows_the_end_marker_does_not_matter():
    for options in KINDS.values():
        whole = written(**options)
        np.testing.assert_array_equal(
            native_pixels(open_image(whole + whole + b"text")), native_pixels(open_image(whole))
        )


def test_what_encoders_leave_after_the_last_block_is_no_damage():
    whole = written()
    for padding in (b"\x7f", b"\xff\0", b"\xff" * 5, b"\x7f\xff\xff"):
        assert is_good(whole[:-2] + padding + EOI)
    for rest in (b"\x7f" * 2, b"\0", b"\x12", b"\xff\xd0\x12"):
        assert reason(whole[:-2] + rest + EOI).startswith("corrupt JPEG: ")


def test_restart_markers_have_their_place_and_number():
    whole = written(restart_marker_blocks=2)
    at = whole.index(b"\xff\xd1")
    for damaged in (
        whole[:at] + b"\xff\xd2" + whole[at + 2 :],
        whole[:at] + whole[at + 2 :],
        whole[:at] + b"\0" + whole[at:],
        whole[:at] + b"\xff\xd1" + whole[at:],
    ):
        assert reason(damaged).startswith("corrupt JPEG: ")
    assert is_good(whole[:at] + b"\xff\xff" + whole[at:])  # fill bytes


def segment(marker, content):
    return b"\xff" + bytes([marker]) + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE2, b"ICC_PROFILE\0\1\1" + b"\xff" * 50),
        segment(0xE2, b"MPF\0" + b"\xff" * 50),
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04" + b"\xff" * 9),
        segment(0xE1, b"Exif\0\0" + b"\xff" * 50),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<broken"),
        segment(0xFE, b"\xff\xd9\xff\xda"),
        segment(0xEC, b""),
        b"\xff\xff\xff",
        b"\xff\0",
    ],
)
def test_what_makes_no_pixels_does_not_matter(extra):
    whole = written()
    for at in (2, coded(whole) - 14):
        np.testing.assert_array_equal(
            native_pixels(open_image(whole[:at] + extra + whole[at:])), native_pixels(open_image(whole))
        )


def test_kinds_that_are_not_read_are_named():
    whole = bytearray(written())
    frame = whole.index(b"\xff\xc0")
    for offset, value, expected in (
        (4, 12, "12-bit JPEG; 8 bits are read"),
        (9, 2, "2 components in a JPEG; 1, 3 or 4 are read"),
        (5, 255, "more than 64 Mpixel"),
    ):
        changed = bytearray(whole)
        changed[frame + offset] = value
        changed[frame + 7] = 255 if offset == 5 else changed[frame + 7]
        assert reason(bytes(changed)) == expected
    whole[frame + 5 : frame + 7] = bytes(2)
    assert reason(bytes(whole)) == "no pixels"


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        *((marker, "lossless JPEG; not read") for marker in (0xC3, 0xCB)),
        *((marker, "hierarchical JPEG; not read") for marker in (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)),
        (0xF7, "JPEG-LS; not read"),
    ],
)
def test_codings_that_are_not_read_are_named(marker, expected):
    whole = written()
    assert reason(whole.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)) == expected
    frame = whole.index(b"\xff\xc0")
    hierarchy = segment(0xDE, whole[frame + 4 : frame + 19])
    assert reason(whole[:2] + hierarchy + whole[2:]) == "hierarchical JPEG; not read"


def test_kernels_that_cannot_be_imported_are_no_damage(monkeypatch):
    jpeg_scan._standard_tables.cache_clear()
    monkeypatch.setitem(sys.modules, "passband.kernels.cpu.huffman", None)
    with pytest.raises(ImportError):
        open_image(written())
    monkeypatch.undo()
    assert is_good(written())


@pytest.mark.parametrize("fault", [RuntimeError, TypeError, AssertionError, OSError])
def test_a_fault_of_our_own_is_no_damage(monkeypatch, fault):
    def fail(*_):
        raise fault("ours")

    for checked, content in ((jpeg, written()), (png, encoded(waves(4, 4)))):
        for name, called in (("prepare", open_image), ("header", image_size)):
            monkeypatch.setattr(checked, name, fail)
            with pytest.raises(fault, match="ours"):
                called(content)


def test_a_missing_scan_and_scans_out_of_order_are_damage():
    whole = written(progressive=True)
    starts = [match.start() for match in re.finditer(rb"\xff\xda", whole)]
    assert len(starts) == 10
    assert reason(whole[: whole.rindex(b"\xff\xc4", 0, starts[0])] + EOI) == "corrupt JPEG: a scan is missing"
    assert reason(whole[: starts[0]] + whole[starts[1] :]) == "corrupt JPEG: scans out of order"


def test_tables_that_a_file_does_not_define_are_the_standard_ones():
    whole = written()
    stripped = re.sub(rb"(?s)\xff\xc4\0(.)", lambda match: b"\xff\xfe\0" + match[1], whole)  # comments now
    np.testing.assert_array_equal(native_pixels(open_image(stripped)), native_pixels(open_image(whole)))
    assert not is_good(re.sub(rb"\xff\xc4", b"\xff\xfe", written(optimize=True)))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_orientation_in_xmp_is_applied(orientation, progressive):
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="{orientation}"/></x:xmpmeta>'
    content = written(8, 16, progressive=progressive, xmp=xmp.encode())
    assert open_image(content).size == ((16, 8) if orientation < 5 else (8, 16))
    assert image_size(content) == open_image(content).size[::-1]


def test_threads_agree():
    contents = [written(**options) for options in KINDS.values()] + [case("midzero.jpg"), case("early_eoi.jpg")]
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(is_good, contents * 20))
    assert verdicts == ([True] * len(KINDS) + [False, False]) * 20


def test_preparing_keeps_the_pixels_alone():
    exif = Image.Exif()
    exif[0x010E] = "a" * 3000
    plain = written()
    prepared = jpeg.prepare(written(exif=exif, comment=b"c" * 5000, icc_profile=b"p" * 3000))
    assert len(prepared.content) == len(plain)
    assert prepared.info.keys() == {"exif"}
