"""How the pixels of one view become bytes and come back: the encodings of a shard.

Pixels are (H, W, 3) uint8 RGB, rows first. What Python, Pillow or zlib do inside runs without the interpreter lock,
so a few threads encode side by side. The same pixels give the same bytes on every processor, as long as the
libraries that an encoding names in `libraries` stay the same.
"""

import functools
import io
import struct
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from passband.pipeline.encodings.png import decode_png, encode_png

NPY_MAGIC = b"\x93NUMPY\x01\x00"
NPY_DTYPES = (np.dtype("|u1"), np.dtype("<f2"))


class Encoding(ABC):
    """One way of storing the views of a sample.

    Attributes
    ----------
    name : str
        As it stands in a job file.
    suffix : str
        Ending of a stored view, without the dot.
    lossless : bool
        Whether decoding gives the same pixels back.
    stacked : bool
        Whether all views of a sample are stored as one stack, (V, H, W, 3), instead of one by one.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    lossless: ClassVar[bool] = True
    stacked: ClassVar[bool] = False

    @abstractmethod
    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Encode (H, W, 3) uint8 pixels, H and W at least 1; raise ValueError for anything else."""

    def encode_batch(self, pixels_nhwc: NDArray[np.uint8]) -> list[bytes]:
        """Encode (N, H, W, 3) uint8 pixels image by image; the bytes are those of `encode`."""
        return [self.encode(pixels) for pixels in pixels_nhwc]

    @abstractmethod
    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        """Return (H, W, 3) uint8 pixels, possibly read-only; raise ValueError if `encoded` is not such an image."""

    def libraries(self) -> dict[str, str]:
        """Return name -> version of the libraries that decide the bytes; empty if this repository alone does."""
        return {}


@dataclass(frozen=True)
class Png(Encoding):
    """Lossless, read by everything. See `pipeline.encodings.png`."""

    name = "png"
    suffix = "png"

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Encode one image; a batch costs less an image."""
        return encode_png(_checked(pixels, 3)[None])[0]

    def encode_batch(self, pixels_nhwc: NDArray[np.uint8]) -> list[bytes]:
        """Encode (N, H, W, 3) uint8 pixels."""
        return encode_png(_checked(pixels_nhwc, 4))

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        """Decode any PNG to RGB; every checksum is verified."""
        return decode_png(encoded)

    def libraries(self) -> dict[str, str]:
        """Name zlib."""
        return {"zlib": zlib.ZLIB_RUNTIME_VERSION}


@dataclass(frozen=True)
class WebP(Encoding):
    """Lossless WebP: smaller than PNG, slower to write.

    Attributes
    ----------
    effort : int
        0 (fast) to 6 (small).
    """

    name = "webp"
    suffix = "webp"
    effort: int = 0

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Encode one image of at most 16,383 pixels a side."""
        return _save(pixels, format="WEBP", lossless=True, quality=0, method=self.effort, exact=True)

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        """Decode a WebP file."""
        return _open(encoded, "WEBP")

    def libraries(self) -> dict[str, str]:
        """Name libwebp."""
        return {"libwebp": str(features.version("webp"))}


@dataclass(frozen=True)
class Jpeg(Encoding):
    """Lossy; it erases high frequencies, so it is never chosen unasked. Colour is not subsampled (4:4:4).

    Attributes
    ----------
    quality : int
        1 to 100, libjpeg's scale.
    """

    name = "jpeg"
    suffix = "jpg"
    lossless = False
    quality: int = 95

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ValueError(f"jpeg: quality {self.quality} is not between 1 and 100")

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Encode one image of at most 65,500 pixels a side."""
        return _save(pixels, format="JPEG", quality=self.quality, subsampling=0)

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        """Decode a JPEG file."""
        return _open(encoded, "JPEG")

    def libraries(self) -> dict[str, str]:
        """Name libjpeg-turbo, or libjpeg where Pillow was built with it."""
        turbo = features.version("libjpeg_turbo")
        return {"libjpeg-turbo": turbo} if turbo else {"libjpeg": str(features.version("jpg"))}


@dataclass(frozen=True)
class Npy(Encoding):
    """Uncompressed: the fastest for images of 32 pixels, where a file's overhead weighs more than its pixels."""

    name = "npy"
    suffix = "npy"
    stacked = True

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Encode one image; a stack of views goes through `encode_npy`."""
        return encode_npy(_checked(pixels, 3))

    def decode(self, encoded: bytes) -> NDArray[np.uint8]:
        """Return a read-only view into `encoded`."""
        return _checked(decode_npy(encoded), 3)


ENCODINGS: dict[str, Encoding] = {encoding.name: encoding for encoding in (Png(), WebP(), Jpeg(), Npy())}


def encode_npy(array: NDArray[Any]) -> bytes:
    """Return a NumPy file, format 1.0, of a uint8 or float16 array.

    Parameters
    ----------
    array : (V, H, W, 3) uint8, the views of a sample, or (H, W, 3) float16, one view of range ``float``

    Notes
    -----
    The header is spelled here, as NumPy 2 does, so that no NumPy version can change the bytes.
    """
    dtype = array.dtype.newbyteorder("<")
    if dtype not in NPY_DTYPES:
        raise ValueError(f"npy: dtype {array.dtype} is not uint8 or float16")
    return _npy_header(dtype, array.shape) + array.astype(dtype, copy=False).tobytes()


def decode_npy(encoded: bytes) -> NDArray[Any]:
    """Return the array of a NumPy file as a read-only view into `encoded`.

    Raises
    ------
    ValueError
        If it is not a NumPy file, format 1.0, of uint8 or float16 in C order, or not as long as its header says.
        A changed pixel is not noticed: the format has no checksum.
    """
    if encoded[:8] != NPY_MAGIC or len(encoded) < 10:
        raise ValueError("npy: not a NumPy file of format 1.0")
    start = 10 + int.from_bytes(encoded[8:10], "little")
    dtype, shape = _parsed_npy_header(bytes(encoded[8:start]))
    expected = start + int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(encoded) != expected:
        raise ValueError(f"npy: {len(encoded)} bytes, the header says {expected}")
    return np.frombuffer(encoded, dtype, offset=start).reshape(shape)


@functools.lru_cache(64)
def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    padded = text + " " * (-(10 + len(text) + 1) % 64) + "\n"
    return NPY_MAGIC + struct.pack("<H", len(padded)) + padded.encode("ascii")


@functools.lru_cache(64)
def _parsed_npy_header(header: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    try:
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(header))
    except (ValueError, SyntaxError, TypeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"npy: the header cannot be read: {error}") from error
    if dtype not in NPY_DTYPES or fortran_order or min(shape, default=0) < 0:
        raise ValueError(f"npy: {dtype} {shape} is not a uint8 or float16 array in C order")
    return dtype, shape


def _checked(pixels: NDArray[Any], dimensions: int) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8 or pixels.ndim != dimensions or pixels.shape[-1] != 3 or 0 in pixels.shape[-3:]:
        layout = "(H, W, 3)" if dimensions == 3 else "(N, H, W, 3)"
        raise ValueError(f"expected {layout} uint8 with H and W at least 1, got {pixels.shape} {pixels.dtype}")
    return pixels


def _save(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    buffer = io.BytesIO()
    try:
        Image.fromarray(np.ascontiguousarray(_checked(pixels, 3))).save(buffer, **options)
    except OSError as error:
        raise ValueError(f"{options['format']}: cannot encode {pixels.shape}: {error}") from error
    return buffer.getvalue()


def _open(encoded: bytes, expected: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(encoded), formats=[expected]) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{expected}: cannot be decoded: {error}") from error
