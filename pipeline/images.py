"""From encoded bytes to RGB pixels of one size.

Every step is integer arithmetic inside Pillow, or NumPy arithmetic on single values: the same bytes on every
processor. Colour profiles (ICC) and gamma chunks are ignored.
"""

import io
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

Fit = Literal["crop", "stretch", "pad"]
Pixels = NDArray[np.uint8]

MAX_PIXELS = 64_000_000
"""Images with more pixels than this are bad; known from the header, before any pixel is decoded."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are opened, as Pillow spells them; of an animation or a multi-page file, the first image."""

_MAX_SCALED = 16_000_000  # pixels of the intermediate image of `fit: crop`
_warning_filters = threading.Lock()


class BadImage(ValueError):
    """Bytes that cannot become an image.

    Attributes
    ----------
    reason : str
        Short, and the same for the same bytes: it is recorded beside the sample's key.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def open_image(encoded: bytes) -> Image.Image:
    """Decode an image file to 8-bit RGB.

    Parameters
    ----------
    encoded : bytes
        A file in one of `FORMATS`.

    Returns
    -------
    Image, mode RGB, upright: the EXIF orientation is applied.

    Raises
    ------
    BadImage
        Empty, unknown, truncated or corrupt bytes; more than `MAX_PIXELS`; pixels without a rule below.

    Notes
    -----
    Grey is repeated; a palette is looked up; CMYK is converted without a profile; transparency is composited on
    white. 16 bits become 8 by keeping the high byte (v // 256), in grey as in colour, where Pillow's own conversion
    of grey clips. Grey of 32-bit integers is read as 16-bit if it lies in 0..65535, floating point in [0, 1] becomes
    round(255 v) with halves to even; both are bad outside that range, because nothing says what white is.
    The transparent value of 16-bit grey is ignored.
    """
    if not encoded:
        raise BadImage("empty")
    image = _open_header(encoded)
    if image.width * image.height > MAX_PIXELS:
        raise BadImage("more than 64 Mpixel")
    if image.width * image.height == 0:
        raise BadImage("no pixels")
    try:
        _check_png_chunks(encoded)
        image.load()
        return _to_rgb(_upright(image))
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly every type on damaged bytes
        raise BadImage(f"{_damage(error)} {image.format}") from error


def fit_image(image: Image.Image, size: tuple[int, int], fit: Fit) -> Pixels:
    """Resize an RGB image to `size` with Pillow's bilinear filter (antialiased where it shrinks).

    Parameters
    ----------
    image : Image, mode RGB
    size : (H, W)
    fit : "crop", "stretch" or "pad"
        crop: scaled until it just covers the size, then cut about the centre; stretch: aspect ratio given up;
        pad: scaled until it just fits inside, centred on black. Scaled sides are rounded, halves up; a centre that
        falls between two pixels goes to the upper left.

    Returns
    -------
    (H, W, 3) uint8
    """
    height, width = size
    if fit == "stretch":
        return _pixels(image.resize((width, height), Image.Resampling.BILINEAR))
    if fit == "crop":
        return _cover(image, height, width)
    if fit == "pad":
        return _inside(image, height, width)
    raise ValueError(f"fit {fit!r}: allowed are crop, stretch and pad")


def native_pixels(image: Image.Image) -> Pixels:
    """Return the pixels of an RGB image as they are: (H, W, 3) uint8."""
    return _pixels(image)


def _pixels(image: Image.Image) -> Pixels:
    assert image.mode == "RGB"
    return np.array(image, np.uint8)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings in; the lock because threads that swap the filters at once can leave them swapped."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open_header(encoded: bytes) -> Image.Image:
    try:
        with _quiet():
            return Image.open(io.BytesIO(encoded), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise BadImage("more than 64 Mpixel") from error
    except UnidentifiedImageError as error:
        raise BadImage("not an image of a known format") from error
    except MemoryError:
        raise
    except Exception as error:  # as in open_image
        raise BadImage("corrupt header") from error


def _damage(error: Exception) -> str:
    cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
    return "truncated" if cut else "corrupt"


def _check_png_chunks(encoded: bytes) -> None:
    """Raise ValueError for a chunk whose checksum is wrong: Pillow does not check those of the pixels."""
    if not encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return
    view, at = memoryview(encoded), 8
    while at < len(view):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if end + 4 > len(view):
            raise EOFError
        if zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise ValueError("checksum of a chunk")
        if view[at + 4 : at + 8] == b"IEND":
            return
        at = end + 4
    raise EOFError


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; EXIF that cannot be parsed counts as none."""
    if not {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"} & image.info.keys():
        return image  # TIFF, which keeps its tags elsewhere, has been turned by load()
    try:
        with _quiet():
            return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # as in open_image; the pixels are good
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        above = image if image.mode == "RGBA" else image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), above).convert("RGB")
    if image.mode in ("1", "L", "P", "CMYK", "YCbCr", "RGBX"):
        return image.convert("RGB")
    raise BadImage(f"no rule for pixels of mode {image.mode}")


def _eight_bits(grey: NDArray[np.generic]) -> Pixels:
    low, high = grey.min(), grey.max()
    if grey.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise BadImage("floating-point pixels outside 0..1")
        return np.rint(grey.astype(np.float64) * 255).astype(np.uint8)
    if low < 0 or high > 65535:
        raise BadImage("integer pixels outside 0..65535")
    return (grey.astype(np.int64) >> 8).astype(np.uint8)


def _scaled(length: int, numerator: int, denominator: int) -> int:
    """Return length * numerator / denominator, rounded, halves up, at least 1."""
    return max(1, (2 * length * numerator + denominator) // (2 * denominator))


def _cover(image: Image.Image, height: int, width: int) -> Pixels:
    image = _trimmed(image, height, width)
    if width * image.height >= height * image.width:
        scaled = (width, max(height, _scaled(image.height, width, image.width)))
    else:
        scaled = (max(width, _scaled(image.width, height, image.height)), height)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    large = image.resize(scaled, Image.Resampling.BILINEAR)
    return _pixels(large)[top : top + height, left : left + width].copy()


def _trimmed(image: Image.Image, height: int, width: int) -> Image.Image:
    """Cut the far ends of a thread-like image, which would grow to gigabytes before it is cropped."""
    w, h = image.size
    scale = max(height / h, width / w)
    if w * scale * h * scale <= _MAX_SCALED:
        return image
    keep_w, keep_h = min(w, -(-width * h // height) + 4), min(h, -(-height * w // width) + 4)
    keep_w, keep_h = keep_w + (w - keep_w) % 2, keep_h + (h - keep_h) % 2  # the centre stays where it is
    left, top = (w - keep_w) // 2, (h - keep_h) // 2
    return image.crop((left, top, left + keep_w, top + keep_h))


def _inside(image: Image.Image, height: int, width: int) -> Pixels:
    w, h = image.size
    if width * h <= height * w:
        scaled = (width, min(height, _scaled(h, width, w)))
    else:
        scaled = (min(width, _scaled(w, height, h)), height)
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - scaled[0]) // 2, (height - scaled[1]) // 2
    canvas[top : top + scaled[1], left : left + scaled[0]] = _pixels(image.resize(scaled, Image.Resampling.BILINEAR))
    return canvas
