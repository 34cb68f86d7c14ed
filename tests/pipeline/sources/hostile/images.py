"""Image files that unpack to more than they should, say what is not so, or take forever."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from tests.pipeline.sources.hostile.case import MADE, RECORDED, Case, Source, paint
from tests.pipeline.sources.hostile.folders import folder_with, write

_KEY = "cat/x"
COLOR = paint("cat", _KEY)


def _case(
    name: str, encoded: bytes | Callable[[], bytes], allowed: str, color: Any = COLOR, says: str = "", pixels: int = 0
) -> Case:
    """Return a case of one image beside six sound ones, its suffix one of any image's."""

    def write_it(root: Path, rng: random.Random) -> None:
        write(root, f"{_KEY}.png", encoded() if callable(encoded) else encoded)

    good, bad = {"made": (7, 0), "recorded": (6, 1)}.get(allowed, (None, None))
    outcomes = {"made": {MADE}, "recorded": {RECORDED}}.get(allowed, {MADE, RECORDED})
    return Case(
        f"image/{name}",
        folder_with(write_it),
        frozenset(outcomes),
        good,
        bad,
        {f"{_KEY}.png": color},
        says,
        pixels=pixels,
    )


def bad(name: str, encoded: bytes | Callable[[], bytes], says: str = "") -> Case:
    """Return a case whose image has to be recorded as bad."""
    return _case(name, encoded, "recorded", says=says)


def good(name: str, encoded: bytes | Callable[[], bytes], color: Any = COLOR) -> Case:
    """Return a case whose image has to be made, of this color."""
    return _case(name, encoded, "made", color)


def any_(name: str, encoded: bytes | Callable[[], bytes], pixels: int = 0) -> Case:
    """Return a case whose image may be made or recorded."""
    return _case(name, encoded, "", None, pixels=pixels)


def saved(form: str, size: tuple[int, int] = (8, 8), mode: str = "RGB", color: Any = COLOR, **options: Any) -> bytes:
    """Encode an image of one color."""
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, form, **options)
    return file.getvalue()


def cases() -> Iterator[Case]:
    """Yield the cases of images."""
    for group in (_pngs, _jpegs, _gifs, _webps, _bmps, _ppms, _tiffs, _exif):
        yield from group()
    yield from _flipped()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big")


def png(
    width: int, height: int, pixels: bytes, *chunks: bytes, depth: int = 8, color: int = 2, before: bytes = b""
) -> bytes:
    """Return a PNG of these pixels, which are packed already, with chunks before them."""
    first = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", first), before, *chunks, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


def _rows(width: int = 8, height: int = 8) -> bytes:
    return zlib.compress((b"\0" + bytes(COLOR) * width) * height)


def _bomb(num_bytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(10**6)) for _ in range(num_bytes // 10**6)) + packer.flush()


def _pngs() -> Iterator[Case]:
    for width, height in (
        (65535, 65535),
        (2**31 - 1, 2**31 - 1),
        (2**31 - 1, 1),
        (1, 2**31 - 1),
        (2**32 - 1, 2**32 - 1),
        (8001, 8001),
    ):
        yield bad(f"PNG of {width} x {height}", png(width, height, _rows()), "Mpixel")
    for width, height in ((0, 0), (0, 8), (8, 0)):
        yield bad(f"PNG of {width} x {height}", png(width, height, _rows()), "no pixels")
    yield bad("PNG of 1 x 60,000,000", lambda: png(1, 60_000_000, zlib.compress(b"")), "a side")
    yield bad("PNG of 60,000,000 x 1", lambda: png(60_000_000, 1, _bomb(60 * 10**6 + 10**6), color=0), "a side")
    yield any_("PNG bomb of 8000 x 8000, 1 bit", lambda: png(8000, 8000, _bomb(9 * 10**6), depth=1, color=0), 8000**2)
    yield good("PNG with 500 MB of zeros after its pixels", lambda: png(8, 8, _long_tail()))
    for kind in (b"zTXt", b"iCCP"):
        yield good(
            f"PNG with a {kind.decode()} of 500 MB",
            lambda kind=kind: png(8, 8, _rows(), chunk(kind, b"x\0\0" + _bomb(500 * 10**6))),
        )
    yield good(
        "PNG with 2,000 packed profiles",
        lambda: png(8, 8, _rows(), *[chunk(b"zTXt", b"Raw profile type exif\0\0" + _bomb(50 * 10**6))] * 2000),
    )
    yield good(
        "PNG with 2,000 packed XMPs",
        lambda: png(8, 8, _rows(), *[chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _bomb(50 * 10**6))] * 2000),
    )
    yield good(
        "PNG with a profile of 30 MB",
        lambda: png(8, 8, _rows(), chunk(b"tEXt", b"Raw profile type exif\0\n\n\n" + b"00" * 15 * 10**6)),
    )
    yield good(
        "PNG with an XMP of 30 MB",
        lambda: png(8, 8, _rows(), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"tiff:Orientation" * 2 * 10**6)),
    )
    yield any_("PNG with 2,000,000 empty chunks", lambda: png(8, 8, _rows(), chunk(b"tEXt", b"") * 2_000_000))
    yield any_("PNG with 2,000,000 empty IDATs", lambda: png(8, 8, _rows(), chunk(b"IDAT", b"") * 2_000_000))
    yield any_("PNG with 20,000 palettes", lambda: png(8, 8, _rows(), chunk(b"PLTE", bytes(768)) * 20_000))
    yield bad("PNG cut", png(8, 8, _rows())[:-30])
    yield bad("PNG that claims 2^31 bytes", png(8, 8, _rows(), b"\x7f\xff\xff\xffIDAT"))
    yield bad("PNG of CgBI", png(8, 8, _rows(), before=b"").replace(b"IHDR", b"CgBI"))
    yield good("PNG animated", lambda: _animated("PNG"))
    yield any_("PNG that says 2^31 frames", png(8, 8, _rows(), chunk(b"acTL", b"\x7f\xff\xff\xff\0\0\0\0")))
    yield good("PNG transparent", saved("PNG", mode="RGBA", color=(*COLOR, 0)), (255, 255, 255))
    yield good("PNG opaque with alpha", saved("PNG", mode="RGBA", color=(*COLOR, 255)))
    yield bad("PNG of depth 3", png(8, 8, _rows(), depth=3))
    yield bad("PNG of color type 5", png(8, 8, _rows(), color=5))
    yield any_(
        "PNG interlaced of 8000 x 8000", lambda: png(8000, 8000, b"").replace(b"\x08\x02\0\0\0", b"\x08\x02\0\0\1")
    )


def _long_tail() -> bytes:
    packer = zlib.compressobj(9)
    first = packer.compress((b"\0" + bytes(COLOR) * 8) * 8)
    return first + b"".join(packer.compress(bytes(10**6)) for _ in range(500)) + packer.flush()


def _animated(form: str, frames: int = 3, **options: Any) -> bytes:
    file = io.BytesIO()
    others = [Image.new("RGB", (8, 8), (number, 0, 0)) for number in range(1, frames)]
    Image.new("RGB", (8, 8), COLOR).save(file, form, save_all=True, append_images=others, **options)
    return file.getvalue()


def _jpegs() -> Iterator[Case]:
    sound = saved("JPEG", quality=100, subsampling=0)
    frame = sound.index(b"\xff\xc0")

    def sized(width: int, height: int) -> bytes:
        return sound[: frame + 5] + struct.pack(">HH", height, width) + sound[frame + 9 :]

    yield bad("JPEG of 65535 x 65535", sized(65535, 65535), "Mpixel")
    yield bad("JPEG of 0 x 8", sized(0, 8))
    yield bad("JPEG of 8 x 0", sized(8, 0))
    yield bad("JPEG of 7999 x 8000 without the pixels", sized(7999, 8000))
    yield any_("JPEG with 3,000,000 comments", lambda: sound[:2] + b"\xff\xfe\0\2" * 3_000_000 + sound[2:])
    yield good(
        "JPEG with 20 MB of comments", lambda: sound[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 310 + sound[2:]
    )
    yield any_("JPEG with 20 MB of fill bytes", lambda: sound[:2] + b"\xff" * 20 * 10**6 + sound[2:])
    yield any_("JPEG with 20 MB of fill and stuffing", lambda: sound[:2] + b"\xff\0" * 10**7 + sound[2:])
    yield any_("JPEG with 20 MB after its end", lambda: sound + b"x" * 20 * 10**6)
    yield bad("JPEG with 20 MB before its end", lambda: sound[:-2] + b"x" * 20 * 10**6 + sound[-2:])
    yield any_(
        "JPEG with 200,000 tables",
        lambda: (
            sound[: sound.index(b"\xff\xc4")]
            + sound[sound.index(b"\xff\xc4") :][:31] * 200_000
            + sound[sound.index(b"\xff\xc4") :]
        ),
    )
    yield any_(
        "JPEG with 10,000 profiles", lambda: sound[:2] + (b"\xff\xe2\0\x12ICC_PROFILE\0\1\1xx") * 10_000 + sound[2:]
    )
    yield good("JPEG CMYK", saved("JPEG", mode="CMYK", color=(0, 0, 0, 0), quality=100), (255, 255, 255))
    yield any_("JPEG of 3,000 scans of 4000 x 4000", lambda: _many_scans(4000, 3000))
    yield any_("JPEG of 800 scans of 7900 x 7900", lambda: _many_scans(7900, 800))
    yield bad("JPEG cut", sound[:-20])
    yield bad("JPEG of its first bytes", sound[:3])
    yield bad("JPEG of a segment that is longer than the file", sound[:2] + b"\xff\xe0\xff\xff")


def _many_scans(side: int, scans: int) -> bytes:
    """Return a progressive JPEG whose scans send next to nothing each: an end of blocks for all of them."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True, quality=50)
    content = file.getvalue()
    starts = [at for at in range(len(content) - 1) if content[at : at + 2] == b"\xff\xda"]
    last = content[starts[-1] : -2]
    return content[:-2] + last * scans + content[-2:]


def _gifs() -> Iterator[Case]:
    sound = _gif()
    head = len(sound) - len(sound.split(b",", 1)[1]) - 1

    def with_blocks(blocks: bytes) -> bytes:
        return sound[:head] + blocks + sound[head:]

    yield good(
        "GIF with a comment of 20 MB", lambda: with_blocks(b"\x21\xfe" + (b"\xff" + b"c" * 255) * 80_000 + b"\0")
    )
    yield any_("GIF with a comment of 2,000,000 blocks", lambda: with_blocks(b"\x21\xfe" + b"\1c" * 2_000_000 + b"\0"))
    yield any_("GIF with 1,000,000 comments", lambda: with_blocks(b"\x21\xfe\1c\0" * 1_000_000))
    yield any_("GIF with 500,000 controls", lambda: with_blocks(b"\x21\xf9\4\0\0\0\0\0" * 500_000))
    yield any_(
        "GIF with an application of 20 MB",
        lambda: with_blocks(b"\x21\xff\x0bNETSCAPE2.0" + (b"\xff" + b"c" * 255) * 80_000 + b"\0"),
    )
    yield any_("GIF with 20 MB of unknown bytes", lambda: with_blocks(b"x" * 20 * 10**6))
    yield bad("GIF of 65535 x 65535", sound[:6] + b"\xff\xff\xff\xff" + sound[10:], "Mpixel")
    yield any_(
        "GIF whose frame is 65535 x 65535", sound.replace(b",\0\0\0\0\x08\0\x08\0", b",\0\0\0\0\xff\xff\xff\xff")
    )
    yield any_("GIF whose frame lies far outside", sound.replace(b",\0\0\0\0", b",\xff\xff\xff\xff"))
    yield bad("GIF of no frame", sound[:13] + b";")
    yield bad("GIF cut", sound[:-6])
    yield good("GIF animated", _animated("GIF"))
    yield good("GIF of 2,000 frames", lambda: _animated("GIF", 2000))


def _gif() -> bytes:
    file = io.BytesIO()
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*COLOR, 0, 0, 0])
    image.save(file, "GIF")
    return file.getvalue()


def _webps() -> Iterator[Case]:
    sound = saved("WEBP", lossless=True)
    yield good("WebP", sound)
    size = (16384 - 1).to_bytes(3, "little")
    first = b"VP8X" + (10).to_bytes(4, "little") + b"\2\0\0\0" + size + size
    body = (
        first
        + b"ANIM\6\0\0\0\0\0\0\0\0\0"
        + b"ANMF"
        + (16 + len(sound) - 12).to_bytes(4, "little")
        + bytes(6)
        + b"\7\0\0\7\0\0\0\0\0\0"
        + sound[12:]
    )
    yield bad("WebP of a canvas of 16384 x 16384", b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body)
    yield bad("WebP cut", sound[:-4])
    yield bad("WebP of its head", sound[:12])
    yield any_(
        "WebP with 20 MB of EXIF", lambda: saved("WEBP", lossless=True, exif=b"Exif\0\0MM\0\x2a" + b"x" * 20 * 10**6)
    )
    yield any_("WebP that claims 4 GB", sound[:4] + b"\xff\xff\xff\xff" + sound[8:])
    yield good("WebP animated", _animated("WEBP", lossless=True))
    yield any_("WebP of 500,000 unknown chunks", lambda: _webp_chunks(sound, 500_000))


def _webp_chunks(sound: bytes, count: int) -> bytes:
    first = b"VP8X" + (10).to_bytes(4, "little") + b"\0\0\0\0\7\0\0\7\0\0"
    body = first + sound[12:] + b"junk\0\0\0\0" * count
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body


def _bmps() -> Iterator[Case]:
    sound = saved("BMP")

    def sized(width: int, height: int) -> bytes:
        return sound[:18] + struct.pack("<ii", width, height) + sound[26:]

    for width, height in ((65535, 65535), (2**31 - 1, 2**31 - 1), (-8, 8), (8, -(2**31))):
        yield bad(f"BMP of {width} x {height}", sized(width, height))
    yield bad("BMP of 0 x 8", sized(0, 8))
    yield good("BMP upside down", sound[:22] + struct.pack("<i", -8) + sound[26:])
    yield bad("BMP of 8000 x 7999 without the pixels", sized(8000, 7999))
    yield any_("BMP whose pixels begin beyond the end", sound[:10] + b"\xff\xff\xff\x7f" + sound[14:])
    yield any_(
        "BMP of 2^31 colors",
        saved("BMP", mode="P", color=0)[:46] + b"\xff\xff\xff\x7f" + saved("BMP", mode="P", color=0)[50:],
    )
    for words, codes in (
        ("rows of one pixel", b"\1\0\0\0" * 2100),
        ("jumps", b"\0\2\xff\xff" * 4000),
        ("runs of one", b"\1\0" * 10**6),
    ):
        yield any_(f"BMP of 30000 x 2100, packed {words}", lambda codes=codes: _rle(30_000, 2_100, codes + b"\0\1"))
        small = lambda codes=codes: _rle(30_000, 500, codes + b"\0\1")  # noqa: E731
        yield any_(f"BMP of 30000 x 500, packed {words}", small, 30_000 * 500)


def _rle(width: int, height: int, codes: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(codes), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 1024 + len(codes), 0, 0, 54 + 1024) + head + bytes(1024) + codes


def _ppms() -> Iterator[Case]:
    body = bytes(COLOR) * 64
    yield good("PPM", b"P6 8 8 255\n" + body)
    for size in (10**5, 2 * 10**7):
        yield any_(
            f"PPM with a comment of {size:,} bytes", lambda size=size: b"P6\n#" + b"c" * size + b"\n8 8 255\n" + body
        )
        yield any_(f"PPM with {size:,} spaces", lambda size=size: b"P6" + b" " * size + b"8 8 255\n" + body)
        yield any_(f"PPM with {size:,} digits", lambda size=size: b"P6 " + b"9" * size + b" 8 255\n" + body)
        yield any_(f"PPM with {size:,} zeros in front", lambda size=size: b"P6 " + b"0" * size + b"8 8 255\n" + body)
        yield any_(
            f"PPM with {size // 4:,} comments", lambda size=size: b"P6\n" + b"#c\n " * (size // 4) + b"8 8 255\n" + body
        )
        yield any_(
            f"PPM, plain, with a comment of {size:,} bytes",
            lambda size=size: b"P3 8 8 255\n#" + b"c" * size + b"\n" + b" ".join(b"%d" % value for value in body),
        )
        yield any_(
            f"PPM, plain, with {size:,} spaces",
            lambda size=size: b"P3 8 8 255\n" + b" " * size + b" ".join(b"%d" % value for value in body),
        )
        yield any_(f"PPM, plain, with {size:,} digits", lambda size=size: b"P3 8 8 255\n" + b"1" * size)
    yield any_("PPM, plain, of 3000 x 3000", lambda: b"P2 3000 3000 255\n" + b"7 " * 9_000_000)
    yield any_("PBM, plain, of 7000 x 7000", lambda: b"P1 7000 7000\n" + b"1" * 49_000_000, 7000**2)
    yield bad("PPM of 65535 x 65535", b"P6 65535 65535 255\n" + body, "Mpixel")
    yield bad("PPM of 8000 x 8000 without the pixels", b"P6 8000 8000 255\n" + body)
    yield bad("PPM of -8 x 8", b"P6 -8 8 255\n" + body)
    yield bad("PPM of 0 x 8", b"P6 0 8 255\n" + body)
    for most in (b"0", b"65536", b"-1", b"x", b"9" * 20):
        yield bad(f"PPM of {most[:5].decode()} levels", b"P6 8 8 " + most + b"\n" + body)
    yield any_("PFM of NaN", b"Pf 8 8 -1.0\n" + struct.pack("<64f", *[float("nan")] * 64))


def tiff(tags: list[tuple[int, int, int, int]], data: bytes = b"", order: str = "<") -> bytes:
    """Return a TIFF of (tag, type, count, value or place) entries, with data at byte 8."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = b"".join(struct.pack(f"{order}HHII", *entry) for entry in sorted(tags))
    return (
        mark + struct.pack(f"{order}I", 8 + len(data)) + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    )


def _basic(width: int = 8, height: int = 8, **changed: tuple[int, int, int, int]) -> list[tuple[int, int, int, int]]:
    found = {
        "width": (256, 4, 1, width),
        "height": (257, 4, 1, height),
        "bits": (258, 3, 1, 8),
        "packing": (259, 3, 1, 1),
        "photometric": (262, 3, 1, 1),
        "offsets": (273, 4, 1, 8),
        "bands": (277, 3, 1, 1),
        "rows": (278, 4, 1, height),
        "counts": (279, 4, 1, width * height),
    }
    return list((found | changed).values())


def _tiffs() -> Iterator[Case]:
    gray = bytes([77]) * 64
    yield good("TIFF by hand", tiff(_basic(), gray), (77, 77, 77))
    yield bad("TIFF of 65535 x 65535", tiff(_basic(65535, 65535), gray), "Mpixel")
    yield bad("TIFF of 0 x 8", tiff(_basic(0, 8), gray))
    yield bad("TIFF of 8000 x 7999 without the pixels", tiff(_basic(8000, 7999), gray))
    for count in (2**32 - 1, 2**31, 10**6):
        yield any_(f"TIFF with {count:,} offsets that are not there", tiff(_basic(offsets=(273, 4, count, 8)), gray))
        yield any_(f"TIFF with {count:,} bits that are not there", tiff(_basic(bits=(258, 3, count, 8)), gray))
    yield any_(
        "TIFF with 10,000,000 bits a sample", lambda: tiff(_basic(bits=(258, 3, 10**7, 8)), gray + bytes(20 * 10**6))
    )
    yield any_(
        "TIFF with 5,000,000 offsets", lambda: tiff(_basic(offsets=(273, 4, 5 * 10**6, 8)), gray + bytes(20 * 10**6))
    )
    yield any_("TIFF with 20,000,000 formats", lambda: tiff(_basic(forms=(339, 3, 10**7, 8)), gray + bytes(20 * 10**6)))
    yield any_(
        "TIFF with a description of 20 MB", lambda: tiff(_basic(text=(270, 2, 20 * 10**6, 8)), gray + bytes(20 * 10**6))
    )
    many = [(40000 + number, 1, 2 * 10**6, 8) for number in range(20_000)]
    yield any_(
        "TIFF with 20,000 times the same 2 MB",
        lambda: tiff(_basic(**{str(tag[0]): tag for tag in many}), gray + bytes(20 * 10**6)),
    )
    numbers = [(40000 + number, 5, 2 * 10**5, 8) for number in range(2_000)]
    yield any_(
        "TIFF with 2,000 times the same fractions",
        lambda: tiff(_basic(**{str(tag[0]): tag for tag in numbers}), gray + bytes(20 * 10**6)),
    )
    yield any_("TIFF of 65,535 tags", lambda: tiff(_basic(**{str(n): (n, 1, 1, 0) for n in range(1000, 60_000)}), gray))
    yield any_("TIFF whose directory is itself", b"II*\0\x08\0\0\0" + struct.pack("<H", 0) + struct.pack("<I", 8))
    yield any_("TIFF of deflate, a bomb", lambda: _packed(8, _bomb(500 * 10**6)))
    yield any_("TIFF of LZW, cut", _packed(5, b"\x80\x0b\x60"))
    yield any_("TIFF of 1 x 60,000,000", lambda: tiff(_basic(1, 60_000_000), gray))
    yield any_("TIFF of 100,000 JPEG tiles that are one", lambda: _jpeg_tiles(5056, 5056, 16))
    yield any_(
        "TIFF of a BigTIFF with 2^60 tags", b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + struct.pack("<Q", 2**60) + bytes(100)
    )
    yield any_("TIFF with an orientation of 60,000", tiff(_basic(turned=(274, 3, 1, 60_000)), gray))
    yield good("TIFF of 50 pages", lambda: _animated("TIFF", 50))


def _packed(compression: int, content: bytes) -> bytes:
    return tiff(_basic(packing=(259, 3, 1, compression), counts=(279, 4, 1, len(content))), content)


def _jpeg_tiles(width: int, height: int, side: int) -> bytes:
    tile = saved("JPEG", (side, side), "L", 77)
    count = (width // side) * (height // side)
    places, sizes = 8 + len(tile) + len(tile) % 2, 8 + len(tile) + len(tile) % 2 + 4 * count
    data = (
        tile
        + bytes(len(tile) % 2)
        + struct.pack(f"<{count}I", *[8] * count)
        + struct.pack(f"<{count}I", *[len(tile)] * count)
    )
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 7), (262, 3, 1, 1), (277, 3, 1, 1),
        (322, 4, 1, side), (323, 4, 1, side), (324, 4, count, places), (325, 4, count, sizes),
    ]  # fmt: skip
    return tiff(tags, data)


def _exif() -> Iterator[Case]:
    """Directories whose entries all point at the same bytes: a few kilobytes that unpack to gigabytes."""

    def bomb(total: int) -> bytes:
        count = min(5000, total // 24)
        data = total - 12 * count - 14
        entries = b"".join(struct.pack("<HHII", 40000 + number, 1, data, 14) for number in range(count))
        return b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<H", count) + entries + bytes(4 + data)

    segment = bomb(65_000)[:65_533]
    sound = saved("JPEG", quality=100, subsampling=0)
    yield good(
        "EXIF bomb in a JPEG", sound[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + sound[2:]
    )
    yield any_("EXIF bomb in a PNG", lambda: png(8, 8, _rows(), chunk(b"eXIf", bomb(2 * 10**6)[6:])))
    yield any_("EXIF bomb in a WebP", lambda: saved("WEBP", lossless=True, exif=bomb(2 * 10**6)))
    loop = (
        b"Exif\0\0II*\0"
        + struct.pack("<I", 8)
        + struct.pack("<H", 2)
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + struct.pack("<HHII", 0x8825, 4, 1, 8)
        + struct.pack("<I", 8)
    )
    yield good("EXIF that leads to itself", png(8, 8, _rows(), chunk(b"eXIf", loop[6:])))
    turned = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + struct.pack("<HHII", 274, 3, 1, 6) + bytes(4)
    yield good("EXIF that turns", png(8, 8, _rows(), chunk(b"eXIf", turned)))
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 99999999\n" + "zz" * 1000)
    yield good("EXIF in a profile that is none", saved("PNG", pnginfo=info))


def _flipped() -> Iterator[Case]:
    """A damaged image is recorded, or is what it was but for what has no sum; never an error of ours."""

    def noisy(form: str, rng: random.Random) -> bytes:
        pixels = np.frombuffer(rng.randbytes(32 * 32 * 3), np.uint8).reshape(32, 32, 3)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form)
        content = bytearray(file.getvalue())
        for _ in range(rng.randrange(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        return bytes(content)

    def many(form: str) -> Callable[[Path, random.Random], None]:
        def write_them(root: Path, rng: random.Random) -> None:
            for number in range(60):
                write(root, f"dog/d{number}.png", noisy(form, rng))

        return write_them

    for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "PPM", "TIFF"):
        anything = {f"dog/d{number}.png": None for number in range(60)}
        outcomes = frozenset({MADE, RECORDED})
        yield Case(f"image/60 damaged {form}", folder_with(many(form)), outcomes, colors=anything)


def source_of(root: Path) -> Source:
    """Return the section of a job that reads a folder."""
    return {"kind": "imagefolder", "path": str(root)}
