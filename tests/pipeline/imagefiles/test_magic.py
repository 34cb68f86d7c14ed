import pytest

from passband.pipeline.images import FORMATS, image_size
from tests.pipeline.imagefiles.pictures import encoded, noise, reason


def boxes(*brands):
    return (16 + 4 * len(brands[1:])).to_bytes(4, "big") + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (bytes(5000), "only zero bytes"),
        (boxes(b"avif", b"mif1", b"miaf"), "AVIF; not read"),
        (boxes(b"mif1", b"avif"), "AVIF; not read"),
        (boxes(b"heic", b"mif1"), "HEIC; not read"),
        (boxes(b"mif1", b"heic"), "HEIC; not read"),
        (boxes(b"isom", b"avc1"), "MP4 or QuickTime video, no image"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL; not read"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL; not read"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000; not read"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000; not read"),
        (b"MM\0\x2b\0\x08\0\0", "big-endian BigTIFF; not read"),
        (b"%PDF-1.7\n", "PDF; not read"),
        (b"8BPS\0\1", "Photoshop; not read"),
        (b"\x93NUMPY\1\0", "a NumPy array; not read"),
        (bytes(128) + b"DICM", "DICOM; not read"),
        (b"PK\x03\x04\x14\0", "a ZIP archive, no image"),
        (b"\x1f\x8b\x08\0", "gzip, no image"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html>", "an HTML page, no image"),
        (b"<html><head>", "an HTML page, no image"),
        (b'<html><svg width="1"></svg></html>', "an HTML page, no image"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG; not read"),
        (b"<svg><g/></svg>", "SVG; not read"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document, no image"),
        (b'{"message": "Not Found"}', "a JSON document, no image"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer, not the file itself"),
        (b"/annex/objects/SHA256E-s1--ab.png\n", "a git-annex pointer, not the file itself"),
        (b"plain text", "not an image of a known format"),
        (b"BM is how this sentence begins, not a bitmap", "not an image of a known format"),
        (b"P6 is how this sentence begins", "corrupt PPM"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI video, no image"),
    ],
)
def test_what_is_no_image_is_named(content, expected):
    assert reason(content) == expected
    assert image_size(content) is None


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_that_is_read_is_named_in_its_damage(form):
    whole = encoded(noise(9, 9), form)
    for cut in (40, 60):
        assert reason(whole[:cut]).split(":")[0] in (f"truncated {form}", f"corrupt {form}")
