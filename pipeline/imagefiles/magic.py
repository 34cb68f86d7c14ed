"""What a file is, by its first bytes: the formats that are read, and names for what is not."""

import re

from passband.pipeline.imagefiles import oversize

READ = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are opened, as Pillow spells them."""

_READ = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "WEBP": rb"RIFF....WEBP",
    "BMP": rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    "GIF": rb"GIF8[79]a",
    "TIFF": rb"II[\x2a\x2b]\0|MM\0\x2a|MM\x2a\0|II\0\x2a",
    "PPM": rb"P(?:[1-6fF]|0CMYK|yP|yRGBA|yCMYK)\s",
}
_FOREIGN = {
    "JPEG XL; not read": rb"\xff\x0a|\0\0\0\x0cJXL ",
    "JPEG 2000; not read": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "big-endian BigTIFF; not read": rb"MM\0\x2b",
    "JPEG XR; not read": rb"II\xbc",
    "PDF; not read": rb"%PDF-",
    "PostScript; not read": rb"%!PS",
    "Photoshop; not read": rb"8BPS",
    "OpenEXR; not read": rb"\x76\x2f\x31\x01",
    "Radiance HDR; not read": rb"#\?RADIANCE",
    "DDS; not read": rb"DDS ",
    "QOI; not read": rb"qoif",
    "PAM; not read": rb"P7\s",
    "ICO; not read": rb"\0\0\x01\0[^\0]\0",
    "DICOM; not read": rb".{128}DICM",
    "NIfTI; not read": rb".{344}(?:n\+1|ni1)\0",
    "HDF5; not read": rb"\x89HDF\r\n\x1a\n",
    "a NumPy array; not read": rb"\x93NUMPY",
    "a ZIP archive, no image": rb"PK\x03\x04",
    "gzip, no image": rb"\x1f\x8b",
    "WebM or Matroska video, no image": rb"\x1a\x45\xdf\xa3",
    "AVI video, no image": rb"RIFF....AVI ",
    "a Git LFS pointer, not the file itself": rb"version https://git-lfs\.github\.com/",
    "a git-annex pointer, not the file itself": rb"/annex/objects/",
}
_TEXT = {
    "an HTML page, no image": rb"(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|script)\b",
    "SVG; not read": rb"<.*<svg\b|<svg\b",
    "an XML document, no image": rb"<\?xml\b",
    "a JSON document, no image": rb"\{\s*[\"}]|\[\s*[\[{\"\]]",
}
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read_format(encoded: bytes) -> str | None:
    """Return the one of `READ` that the file begins like, or None."""
    return _first(_READ, encoded[:32])


def foreign_reason(encoded: bytes) -> str:
    """Return why a file of none of the formats in `READ` is no image here."""
    if oversize.is_stand_in(encoded):
        return oversize.REASON
    if encoded[4:8] == b"ftyp":
        return _boxes(encoded)
    if not encoded.strip(b"\0"):
        return "only zero bytes"
    text = encoded[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    return _first(_FOREIGN, encoded[:512]) or _first(_TEXT, text, re.IGNORECASE) or "not an image of a known format"


def _first(patterns: dict[str, bytes], head: bytes, flags: int = 0) -> str | None:
    return next((name for name, pattern in patterns.items() if re.match(pattern, head, re.DOTALL | flags)), None)


def _boxes(encoded: bytes) -> str:
    """Name a file of the ISO base media format by its brands: the first, a version, then the compatible ones."""
    end = min(int.from_bytes(encoded[:4], "big"), 256)
    brands = {encoded[8:12], *(encoded[at : at + 4] for at in range(16, end, 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF; not read"
    return "HEIC; not read" if brands & {*_HEIC} else "MP4 or QuickTime video, no image"
