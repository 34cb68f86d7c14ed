"""TIFF: which kinds of pixels are read, said in the words of its tags.

Of pixels that are not JPEG, nothing is checked but what libtiff finds: most compressions have no checksum.
"""

import io

from PIL import TiffImagePlugin

from passband.pipeline.imagefiles import ifd, tiff_jpeg
from passband.pipeline.imagefiles.base import BadImage

_COMPRESSION, _PHOTOMETRIC, _BITS, _BANDS, _PLANES, _EXTRA, _FORMAT = 259, 262, 258, 277, 284, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_PHOTOMETRICS = (0, 1, 2, 3, 5, 6, 8)
_UNCOMPRESSED, _OLD_JPEG = 1, 6
_ALPHA = (1, 2)  # values of _EXTRA that say so: premultiplied or not
_SIGNED, _FLOAT = 2, 3
_FORMATS = {_SIGNED: "signed", _FLOAT: "float", 4: "untyped", 5: "complex", 6: "complex"}


def check_tags(encoded: bytes) -> tiff_jpeg.Segments | None:
    """Raise BadImage for pixels of a kind that is not read, or that the decoder would take for another.

    Nothing is said about tags that cannot be parsed: the decoder will. Returns the strips or tiles of an image whose
    pixels are JPEG, which the decoder does not check.
    """
    if ifd.is_bomb(encoded):
        raise BadImage("a TIFF whose tags claim more than it holds")
    try:
        tags = _first_directory(encoded)
        compression, photometric = tags.get(_COMPRESSION, 1), tags.get(_PHOTOMETRIC, 0)
        bands, extra = tags.get(_BANDS, 1), tuple(tags.get(_EXTRA, ()))
        bits = {*tags.get(_BITS, (1,) if bands == 1 else (8,))[:bands]}
        forms = {*tags.get(_FORMAT, (1,))[:bands]}
        apart = tags.get(_PLANES, 1) == 2 and bands > 1
        values = (bands, compression, photometric, *bits, *forms, *extra)
        if not all(isinstance(value, int) for value in values):
            return None
    except Exception:  # Pillow's parser raises nearly every type on damaged bytes
        return None
    if compression == _OLD_JPEG:
        raise BadImage("old-style JPEG in TIFF; not read")
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        raise BadImage(f"TIFF compression {compression}; not read")
    if bands not in (1, 3, 4) and not (bands == 2 and len(extra) == 1 and extra[0] in _ALPHA):
        raise BadImage(f"{bands} bands; 1, 3 or 4 are read")
    if photometric not in _PHOTOMETRICS:
        raise BadImage(f"TIFF photometric interpretation {photometric}; not read")
    _check_values(bands, photometric, bits, forms)
    if encoded.startswith(b"MM") and bits & {12, 32} and forms == {1}:
        raise BadImage(f"big-endian {max(bits)}-bit values; not read")
    if apart and compression == _UNCOMPRESSED and (bits != {8} or (bands > 3 and extra != (_ALPHA[1],))):
        # Pillow takes the values of such planes for others, or the file for a damaged one.
        raise BadImage(f"{bands} uncompressed planes of {max(bits)} bits; not read")
    if compression != tiff_jpeg.COMPRESSION:
        return None
    try:
        return tiff_jpeg.segments(tags)
    except Exception as error:  # as above; here the decoder would say nothing
        raise BadImage("corrupt TIFF") from error


def _first_directory(encoded: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    file = io.BytesIO(encoded)
    tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if encoded[2] == 43 else 8))
    file.seek(tags.next)
    tags.load(file)
    return tags


def _check_values(bands: int, photometric: int, bits: set[int], forms: set[int]) -> None:
    """One band has rules for more kinds of values than color has."""
    kind = next((name for form, name in _FORMATS.items() if form in forms), "")
    if len(bits) > 1 or len(forms) > 1:
        raise BadImage("bands of unlike values; 8 or 16 bits are read")
    (width,) = bits
    unlike = {"signed": bands > 1 or width == 8, "float": bands > 1 or width != 32}
    if kind and unlike.get(kind, True):
        raise BadImage(f"{kind} values; 8 or 16 bits are read")
    if width not in ((1, 2, 4, 8, 12, 16, 32) if bands == 1 else (8, 16)):
        raise BadImage(f"{width}-bit values; 8 or 16 bits are read")
    if bands > 2 and photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
        raise BadImage(f"{bands} bands that are not marked as colors")
    if photometric == _WHITE_IS_ZERO and width > 8:
        raise BadImage(f"{width}-bit values with white as zero; not read")
