"""From encoded bytes to RGB pixels of one size.

Every step is integer arithmetic inside Pillow, or NumPy arithmetic on single values: the same bytes on every
processor. Colour profiles (ICC) and gamma chunks are ignored.
"""

import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from passband.pipeline.imagefiles import bmp, gif, ifd, jpeg, magic, png, ppm, tiff, tiff_jpeg
from passband.pipeline.imagefiles.base import MAX_PIXELS, BadImage, Prepared, check_sides, check_size

Fit = Literal["crop", "stretch", "pad"]
Pixels = NDArray[np.uint8]

FORMATS = magic.READ
"""Formats that are opened, as Pillow spells them; of an animation or a multi-page file, the first image."""
__all__ = ["FORMATS", "MAX_PIXELS", "BadImage", "enlarges", "fit_image", "image_size", "native_pixels", "open_image"]

DECODING = 2
"""Raised whenever the same file decodes to other pixels, or is good where it was bad; part of the environment."""
_ORIENTATION = 0x0112
_ORIENTING = {"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"}  # where Pillow looks for it
_MAX_SCALED = 16_000_000  # pixels of the intermediate image of `fit: crop`
_warning_filters = threading.Lock()


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
        Empty bytes; a format that is not read; pixels that are truncated, corrupt or without a rule below; more than
        `MAX_PIXELS`. Damage outside the pixels, and a missing end marker, do not matter.

    Notes
    -----
    Gray is repeated; a palette is looked up; CMYK is converted without a profile; transparency is composited on
    white. 16 bits become 8 by keeping the high byte (v // 256), in gray as in color, where Pillow's own conversion
    of gray clips; 16-bit color of a PPM is scaled and rounded instead, by Pillow. Gray of 32-bit integers is read as
    16-bit if it lies in 0..65535, floating point in [0, 1] becomes round(255 v) with halves to even; both are bad
    outside that range, because nothing says what white is.
    """
    if not encoded:
        raise BadImage("empty")
    form = magic.read_format(encoded)
    if form is None:
        raise BadImage(magic.foreign_reason(encoded))
    prepared = _prepared(form, encoded)
    with _damage_named(form):
        image = _open_header(form, prepared.content)
        check_size(image.width, image.height)
        check_sides(image.width, image.height)
        image.info.update(prepared.info)
        image.load()
        return _upright(_to_rgb(image, prepared), image.info)


def image_size(encoded: bytes) -> tuple[int, int] | None:
    """Return the size (H, W) that `open_image` would give, from the header alone; None where it cannot be told.

    The pixels may be damaged all the same.
    """
    form = magic.read_format(encoded)
    if form is None:
        return None
    try:
        return _header_size(form, encoded)
    except BadImage:
        return None


def enlarges(size: tuple[int, int], wanted: tuple[int, int], fit: Fit) -> bool:
    """Tell whether `fit_image` makes an image of `size` (H, W) larger, in one direction at least."""
    (height, width), (wanted_height, wanted_width) = size, wanted
    taller, wider = wanted_height > height, wanted_width > width
    return taller and wider if fit == "pad" else taller or wider


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


@contextmanager
def _damage_named(form: str) -> Iterator[None]:
    """Turn whatever Pillow raises on damaged bytes, which is nearly every type, into BadImage.

    For calls of Pillow alone: around code of ours it would pass our own faults off as the file's.
    """
    try:
        yield
    except (BadImage, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise BadImage("more than 64 Mpixel") from error
    except Exception as error:
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        raise BadImage(f"{'truncated' if cut else 'corrupt'} {form}") from error


def _prepared(form: str, encoded: bytes) -> Prepared:
    """Return what the decoder gets; the checks raise BadImage themselves, and anything else is a fault of ours."""
    if form == "PNG":
        return png.prepare(encoded)
    if form == "JPEG":
        return jpeg.prepare(encoded)
    if form == "TIFF":
        with _quiet():
            segments = tiff.check_tags(encoded)
        if segments is not None:
            tiff_jpeg.check(encoded, segments)
    if form == "BMP":
        bmp.check(encoded)
    if form == "GIF":
        return Prepared(gif.prepare(encoded))
    return Prepared(ppm.prepare(encoded) if form == "PPM" else encoded)


def _open_header(form: str, content: bytes) -> Image.Image:
    with _quiet():
        return Image.open(io.BytesIO(content), formats=(form,))


def _upright(image: Image.Image, info: Mapping[Any, Any]) -> Image.Image:
    """Apply the EXIF orientation that stands in `info`; EXIF that cannot be parsed counts as none."""
    if not _ORIENTING & info.keys() or _is_bomb(info):
        return image  # TIFF, which keeps its tags elsewhere, has been turned by load()
    image.info.update({name: info[name] for name in _ORIENTING & info.keys()})
    try:
        with _quiet():
            return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # Pillow's parser raises nearly every type on damaged bytes; the pixels are good
        return image


def _is_bomb(info: Mapping[Any, Any]) -> bool:
    """Tell whether EXIF claims more than it holds; as a profile, it is spelled in hexadecimal digits."""
    exif = info.get("exif")
    if exif is None and (profile := info.get("Raw profile type exif")) is not None:
        try:
            exif = bytes.fromhex("".join(profile.split("\n")[3:]))
        except ValueError:
            return False
    return exif is not None and ifd.is_bomb(bytes(exif).removeprefix(b"Exif\0\0"))


def _header_size(form: str, encoded: bytes) -> tuple[int, int]:
    info: Mapping[Any, Any]
    if form in ("PNG", "JPEG"):
        width, height, info = (png if form == "PNG" else jpeg).header(encoded)
    else:
        if form == "TIFF":
            with _quiet():
                tiff.check_tags(encoded)  # before Pillow logs what it does not read
        if form == "BMP":
            bmp.check(encoded)
        if form == "PPM":
            ppm.check_header(encoded)
        content = gif.prepare(encoded) if form == "GIF" else encoded
        with _damage_named(form):
            image = _open_header(form, content)
            (width, height), info = image.size, image.info
            if form == "TIFF":
                tags = image.tag_v2  # type: ignore[attr-defined]
                width, height, info = int(tags[256]), int(tags[257]), {}
                if tags.get(_ORIENTATION) in (5, 6, 7, 8):
                    width, height = height, width
    turned = _upright(Image.new("L", (1, 2)), info).width == 2
    check_size(width, height)
    check_sides(width, height)
    return (width, height) if turned else (height, width)


def _to_rgb(image: Image.Image, prepared: Prepared) -> Image.Image:
    if prepared.transparent is not None:
        clear = png.transparent_pixels(image, prepared)
        pixels = _pixels(_to_rgb(image, Prepared(b"")))
        pixels[clear] = 255
        return Image.fromarray(pixels)
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


def _eight_bits(gray: NDArray[np.generic]) -> Pixels:
    low, high = gray.min(), gray.max()
    if gray.dtype.kind == "f":
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise BadImage("floating-point pixels outside 0..1")
        return np.rint(gray.astype(np.float64) * 255).astype(np.uint8)
    if low < 0 or high > 65535:
        raise BadImage("integer pixels outside 0..65535")
    return (gray.astype(np.int64) >> 8).astype(np.uint8)


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
