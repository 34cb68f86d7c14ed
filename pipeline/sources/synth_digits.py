"""Source ``synth_digits``: digits rendered with the TrueType fonts that Matplotlib carries, after SYN Digits.

Of each sample are drawn font, size, rotation, position, neighbouring digits at the borders, the colours of stroke
and background, which may be a gradient of two, and blur. Ganin & Lempitsky, "Unsupervised domain adaptation by
backpropagation", ICML 2015, section 4.

Departures: SYN Digits are about 500,000 images from Windows fonts; here there are 21 fonts and as many samples as
asked for, and the stroke always differs from the background by `CONTRAST`, so that a person can read it.

Text and blur are Pillow's and FreeType's: bytes may change with the version of either, which the hashes of a plan
notice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from pydantic import Field

from passband.kernels.elementary import cos_pi, sin_pi
from passband.pipeline.augment.draws import Draws, stream_key
from passband.pipeline.images import BadImage
from passband.pipeline.sources.base import Entry, Source
from passband.pipeline.sources.packaged import Pixels, SplitOptions, packaged_file, row_entries

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
"""Fonts whose digits read as digits; symbol fonts and cmmi10, whose old-style zero is an o, are left out."""
SIZES = range(22, 32)
"""Font sizes in pixels; a digit is about 0.7 of that high."""
CONTRAST = 100
"""Least difference in luma between the stroke and either colour of the background, of 255."""

_SIDE = 32
_MARGIN = 3  # empty pixels about a glyph, for the bicubic filter
_GRADIENT = 40  # most that a channel differs between the two colours of a background
_APART = 14  # least distance between the centres of neighbours: the label is the one in the middle
_SQRT_HALF = 0.7071067811865476
_STEPS = (np.arange(_SIDE) + 0.5) / _SIDE - 0.5

Channels = NDArray[np.int64]


class SynthDigitsOptions(SplitOptions):
    """Options of ``synth_digits``."""

    samples: int = Field(
        5000, ge=10, le=100_000, multiple_of=10, description="digits in all splits together, a multiple of 10"
    )


@dataclass(frozen=True, slots=True)
class Style:
    """How one digit is drawn.

    Attributes
    ----------
    font : str, of `FONTS`
    size : int, of `SIZES`
    turn : (cos, sin) of the rotation, counter-clockwise
    shift : (x, y) of the digit's centre from the image's, pixels
    gap : int, pixels between neighbours
    neighbors : digits to the left and right; None for none
    background : (2, 3) int64, the colours at both ends of the gradient
    direction : (cos, sin) of the gradient
    stroke : (3,) int64
    blur : float, radius of the Gaussian in pixels
    """

    font: str
    size: int
    turn: tuple[float, float]
    shift: tuple[float, float]
    gap: int
    neighbors: tuple[int | None, int | None]
    background: Channels
    direction: tuple[float, float]
    stroke: Channels
    blur: float


def styles(rows: NDArray[np.uint32]) -> Iterator[Style]:
    """Draw the style of each row, at the address (source's name; row)."""
    draws = Draws(stream_key(0, SynthDigits.kind, ""), rows, view=0)
    shapes = draws.at(purpose=1).uniforms(8).tolist()
    turns = _angles(draws.at(purpose=2).uniforms(1)[:, 0] / 5 - 0.1)  # 18 degrees to either side
    directions = _angles(2 * draws.at(purpose=3).uniforms(1)[:, 0])
    backgrounds = _backgrounds(draws.at(purpose=4))
    strokes = _strokes(draws.at(purpose=5), backgrounds)
    for n, (font, size, x, y, gap, left, right, blur) in enumerate(shapes):
        yield Style(
            font=FONTS[int(font * len(FONTS))],
            size=SIZES[int(size * len(SIZES))],
            turn=turns[n],
            shift=(5 * x - 2.5, 5 * y - 2.5),
            gap=int(4 * gap),
            neighbors=(_neighbor(left), _neighbor(right)),
            background=backgrounds[n],
            direction=directions[n],
            stroke=strokes[n],
            blur=blur,
        )


def _angles(half_turns: NDArray[np.float64]) -> list[tuple[float, float]]:
    return list(zip(cos_pi(half_turns).tolist(), sin_pi(half_turns).tolist(), strict=True))


def _neighbor(uniform: float) -> int | None:
    """Return a digit in half of the cases."""
    return int(20 * uniform) if uniform < 0.5 else None


def _backgrounds(draws: Draws) -> Channels:
    """Return two colours each, (N, 2, 3): in two of five cases the same, else `_GRADIENT` apart at most."""
    words = draws.words(7)
    first, change = _bytes(words[:, :3]), _bytes(words[:, 3:6]) * (2 * _GRADIENT + 1) // 256 - _GRADIENT
    change[_bytes(words[:, 6]) < 102] = 0
    return np.stack([first, (first + change).clip(0, 255)], axis=1)


def _strokes(draws: Draws, backgrounds: Channels) -> Channels:
    """Return the first colour each, (N, 3), with `CONTRAST` to the background, of any, dark, light ones, black, white.

    Black or white has it: the lumas of a background span `_GRADIENT` + 1 at most, so that the larger side left free
    is at least (255 - 41) / 2 wide.
    """
    drawn = _bytes(draws.words(24)).reshape(-1, 8, 3)
    dark = drawn[:, 2:] // 3
    dark[:, 1::2] = 255 - dark[:, 1::2]
    ends = np.broadcast_to([[0, 0, 0], [255, 255, 255]], (len(drawn), 2, 3))
    candidates = np.concatenate([drawn[:, :2], dark, ends], axis=1)
    distance = abs(luma(candidates)[:, :, None] - luma(backgrounds)[:, None]).min(axis=2)
    return candidates[np.arange(len(drawn)), np.argmax(distance >= CONTRAST, axis=1)]


def _bytes(words: NDArray[np.uint32]) -> Channels:
    return (words >> np.uint32(24)).astype(np.int64)


def luma(colors: Channels) -> Channels:
    """Return 0.299 R + 0.587 G + 0.114 B of (..., 3), rounded down."""
    return (299 * colors[..., 0] + 587 * colors[..., 1] + 114 * colors[..., 2]) // 1000


@cache
def glyph(font: str, size: int, digit: int) -> Image.Image:
    """Return the coverage of a digit, mode L, cut to its box with a margin; a few MB for all there are."""
    path = packaged_file("synth_digits", "matplotlib", "mpl-data", "fonts", "ttf", f"{font}.ttf")
    face = ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = map(int, face.getbbox(str(digit)))
    mask = Image.new("L", (right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN))
    ImageDraw.Draw(mask).text((_MARGIN - left, _MARGIN - top), str(digit), fill=255, font=face)
    return mask


def coverage(digit: int, style: Style) -> Pixels:
    """Return how far each pixel is covered by the digit and its neighbours: (32, 32) uint8."""
    line = _line(digit, style)
    cos, sin = style.turn
    x, y = (_SIDE / 2 + shift for shift in style.shift)
    matrix = (cos, -sin, line.width / 2 - cos * x + sin * y, sin, cos, line.height / 2 - sin * x - cos * y)
    placed = line.transform((_SIDE, _SIDE), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    return np.asarray(placed)


def _line(digit: int, style: Style) -> Image.Image:
    """Return a line of text with the centre of the digit at its own."""
    middle = glyph(style.font, style.size, digit)
    line = Image.new("L", (4 * _SIDE, 2 * _SIDE))
    _paste(line, middle, 2 * _SIDE - middle.width // 2)
    for neighbor, side in zip(style.neighbors, (-1, 1), strict=True):
        if neighbor is not None:
            mask = glyph(style.font, style.size, neighbor)
            advance = max(_APART, (middle.width + mask.width) // 2 - 2 * _MARGIN + style.gap)
            _paste(line, mask, 2 * _SIDE + side * advance - mask.width // 2)
    return line


def _paste(line: Image.Image, mask: Image.Image, left: int) -> None:
    line.paste(255, (left, _SIDE - mask.height // 2), mask)  # through the mask: the margins of two glyphs overlap


def _gradient(style: Style) -> NDArray[np.float64]:
    """Return the background, (32, 32, 3): a linear ramp between its colours, whose ends are two opposite corners."""
    (cos, sin), (first, second) = style.direction, style.background
    ramp = (_STEPS * cos + _STEPS[:, None] * sin) * _SQRT_HALF + 0.5
    return first + (second - first) * ramp[..., None]


def render(digit: int, style: Style) -> Image.Image:
    """Return the digit in its style: RGB, 32 pixels a side."""
    share = coverage(digit, style)[..., None] / 255
    background = _gradient(style)
    pixels = np.rint(background + (style.stroke - background) * share).astype(np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(style.blur))


class SynthDigits(Source):
    """Rendered digits in colour, classes equally often; of the 5,000 by default, train 4,000, test 1,000.

    Row r shows the digit r mod 10. The encoded form of a sample is its 3,072 raw RGB bytes, row by row; the same key
    names the same image in every split and for every number of samples.
    """

    kind = "synth_digits"
    Options = SynthDigitsOptions
    options: SynthDigitsOptions
    side: ClassVar[int] = _SIDE

    @property
    def classes(self) -> tuple[str, ...]:
        """The ten digits."""
        return tuple("0123456789")

    def entries(self) -> Iterator[Entry]:
        """List the rows of the split; nothing is rendered."""
        return row_entries(self.kind, np.arange(self.options.samples) % 10, self.options.split)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Render 3 * 32^2 bytes a sample."""
        rows = np.array([entry.offset for entry in entries], np.uint32)
        return [render(row % 10, style).tobytes() for row, style in zip(rows.tolist(), styles(rows), strict=True)]

    def decode(self, encoded: bytes) -> Image.Image:
        """Return an RGB image of 32 pixels a side."""
        if len(encoded) != 3 * _SIDE * _SIDE:
            raise BadImage(f"{len(encoded)} bytes instead of {3 * _SIDE * _SIDE}")
        return Image.frombytes("RGB", (_SIDE, _SIDE), encoded)

    def image_size(self, encoded: bytes) -> tuple[int, int]:
        """Return the one size (H, W)."""
        return _SIDE, _SIDE
