"""A contact sheet: one row a sample, the clean image beside its other views."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from passband.jobs.common.wording import class_name
from passband.jobs.drawing.lettering import Font, sheet_font, shorten
from passband.pipeline.canonical import canonical_json
from passband.pipeline.formats.sample import Sample, as_pixels
from passband.pipeline.records import Manifest, ViewEntry

MAX_ROWS, MAX_VIEWS, LOOKED_AT = 10, 64, 256
WIDTH = 1400
"""Pixels that a sheet is wide at most; views that do not fit beside one another go on below."""
TARGET = 96  # pixels of the longer side that small images are scaled up to, by a whole factor
LARGEST = 256  # above it, images are reduced by a whole factor
PAPER, INK, QUIET, MARK = (255, 255, 255), (34, 34, 34), (110, 110, 110), (184, 74, 0)
_GAP, _MARGIN, _FONT_SIZE, _NARROWEST, _NARROWEST_CAPTION, _WIDEST_HEADING = 8, 12, 13, 72, 120, 160


def contact_sheet(samples: Sequence[Sample], manifest: Manifest, views: Sequence[ViewEntry] | None = None) -> bytes:
    """Return the contact sheet of `samples` as PNG; `views` are the columns, by default those of `choose_views`."""
    columns = choose_views(manifest.views) if views is None else views
    numbers = [view.number for view in columns]
    return png_bytes(samples, [view.name for view in columns], classes=manifest.classes, numbers=numbers)


def png_bytes(samples: Sequence[Sample], view_names: Sequence[str], **options: Any) -> bytes:
    """Return what `draw_sheet` draws as PNG."""
    buffer = io.BytesIO()
    draw_sheet(samples, view_names, **options).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def spread_samples(samples: Iterable[Sample], rows: int = MAX_ROWS, among: int = LOOKED_AT) -> list[Sample]:
    """Choose `rows` of the first `among` samples, spread over the classes; holds one more than `rows` at a time."""
    chosen: list[Sample] = []
    for sample in islice(samples, among):
        chosen.append(sample)
        if len(chosen) > rows:
            drop_one(chosen)
    return sorted(chosen, key=lambda sample: (sample.label, sample.index))


def drop_one(samples: list[Sample]) -> None:
    """Remove the last sample of the class that has most of them."""
    counts = Counter(sample.label for sample in samples)
    most = max(counts.values())
    del samples[max(position for position, sample in enumerate(samples) if counts[sample.label] == most)]


def choose_views(views: Sequence[ViewEntry], most: int = MAX_VIEWS) -> list[ViewEntry]:
    """Return at most `most` views in their order: clean, one of each recipe, then further copies."""
    seen: set[bytes] = set()
    firsts: list[ViewEntry] = []
    copies: list[ViewEntry] = []
    for view in views:
        spelled = canonical_json(view.recipe)
        (copies if spelled in seen else firsts).append(view)
        seen.add(spelled)
    return sorted([*firsts, *copies][:most], key=lambda view: view.number)


@dataclass(frozen=True)
class Caption:
    """Two lines below a picture; a marked one is in color."""

    first: str
    second: str
    marked: bool = False


@dataclass(frozen=True)
class _Grid:
    """Pixels of a cell and where the first one starts; a sample takes `lines` of up to `columns` cells."""

    width: int
    height: int
    left: int
    columns: int
    lines: int
    rows: int

    @property
    def heading(self) -> int:
        """What is between the top of a cell and the top of its heading."""
        return _FONT_SIZE + _GAP + 2

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet."""
        across = self.left + self.columns * (self.width + _GAP) - _GAP + _MARGIN
        _, down = self.place(self.rows - 1, (self.lines - 1) * self.columns)
        return across, down + self.height + _MARGIN

    def place(self, row: int, column: int) -> tuple[int, int]:
        """Return left and top of a cell; headings stand above the first line, or above each where there are several."""
        line, column = divmod(column, self.columns)
        line += row * self.lines
        above = 0 if self.lines == 1 else line * (_FONT_SIZE + _GAP) + row * _GAP
        top = _MARGIN + _FONT_SIZE + _GAP + line * (self.height + _GAP) + above
        return self.left + column * (self.width + _GAP), top


def draw_sheet(
    samples: Sequence[Sample],
    view_names: Sequence[str],
    *,
    classes: Sequence[str] = (),
    numbers: Sequence[int] | None = None,
    captions: Sequence[Sequence[Caption]] | None = None,
) -> Image.Image:
    """Draw samples below one another, their views side by side.

    Parameters
    ----------
    samples : sequence of Sample
        A row each, in their order.
    view_names : sequence of str
        Headings of the columns, cut to their width.
    classes : sequence of str
        Names of the labels; a label without a name is shown as its number.
    numbers : sequence of int, optional
        View of each column; default: the first ``len(view_names)``.
    captions : sequence of sequence of Caption, optional
        What stands below each view of each sample.

    Returns
    -------
    RGB image, at most `WIDTH` pixels wide. Small views are scaled up by a whole factor without smoothing, so that a
    pixel stays a square; those above 256 pixels, and such as would not all fit beside one another, are reduced by
    averaging. Views stored as float16 are stretched from their own minimum and maximum.
    """
    numbers = range(len(view_names)) if numbers is None else numbers
    font, names = sheet_font(_FONT_SIZE), [class_name(sample.label, classes) for sample in samples]
    left = _MARGIN + min(_WIDEST_HEADING, _widest([*names, *map(_number, samples)], font)) + 2 * _GAP
    rows = [_pictures(sample, numbers, WIDTH - left - _MARGIN) for sample in samples]
    grid = _grid([picture for row in rows for picture in row], len(view_names), len(rows), left, captions is not None)
    sheet = Image.new("RGB", grid.size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for row in range(max(1, len(rows)) if grid.lines > 1 else 1):
        for column, name in enumerate(view_names):
            across, down = grid.place(row, column)
            pen.text((across, down - grid.heading), shorten(name, grid.width, font), fill=INK, font=font)
    for row, (sample, name) in enumerate(zip(samples, names, strict=True)):
        _, top = grid.place(row, 0)
        pen.text((_MARGIN, top), shorten(name, _WIDEST_HEADING, font), fill=INK, font=font)
        pen.text((_MARGIN, top + _FONT_SIZE + 5), _number(sample), fill=QUIET, font=font)
        for column, picture in enumerate(rows[row]):
            sheet.paste(picture, grid.place(row, column))
            if captions is not None:
                across, top = grid.place(row, column)
                _letter(pen, captions[row][column], (across, top + picture.height + 3), grid.width, font)
    return sheet


def _letter(pen: ImageDraw.ImageDraw, caption: Caption, place: tuple[int, int], width: int, font: Font) -> None:
    across, down = place
    pen.text((across, down), shorten(caption.first, width, font), fill=MARK if caption.marked else INK, font=font)
    pen.text((across, down + _FONT_SIZE + 3), shorten(caption.second, width, font), fill=QUIET, font=font)


def _widest(texts: Sequence[str], font: Font) -> int:
    return int(max((font.getlength(text) for text in texts), default=0))


def _pictures(sample: Sample, numbers: Sequence[int], room: int) -> list[Image.Image]:
    views = [sample.views[number] for number in numbers]
    return [_picture(view, shown_scale(view.shape[0], view.shape[1], len(views), room)) for view in views]


def _grid(
    pictures: Sequence[Image.Image], num_views: int, num_rows: int, left: int, with_captions: bool = False
) -> _Grid:
    narrowest = _NARROWEST_CAPTION if with_captions else _NARROWEST
    below = 2 * (_FONT_SIZE + 3) + 6 if with_captions else 0
    width = max([narrowest, *(picture.width for picture in pictures)])
    lines = -(-max(1, num_views) // max(1, (WIDTH - left - _MARGIN + _GAP) // (width + _GAP)))
    return _Grid(
        width=width,
        height=max([3 * _FONT_SIZE, *(picture.height for picture in pictures)]) + below,
        left=left,
        columns=-(-max(1, num_views) // lines),
        lines=lines,
        rows=max(1, num_rows),
    )


def _number(sample: Sample) -> str:
    return f"sample {sample.index}"


def scale_of(height: int, width: int) -> int:
    """Return the whole factor by which a view is scaled up; negative: reduced by."""
    longest = max(height, width)
    return -longest // LARGEST if longest > LARGEST else max(1, TARGET // longest)


def shown_scale(height: int, width: int, num_views: int, room: int) -> int:
    """Return `scale_of`, or a smaller one where `num_views` do not fit in `room`; a view has 96 pixels at the least."""
    scale = scale_of(height, width)
    while num_views * (_scaled(width, scale) + _GAP) - _GAP > room:
        smaller = scale - 1 if scale > 1 else min(scale, -1) - 1
        if _scaled(max(height, width), smaller) < TARGET:
            break
        scale = smaller
    return scale


def _scaled(pixels: int, scale: int) -> int:
    return pixels * scale if scale > 0 else pixels // -scale


def shrunk(view: NDArray[Any], scale: int) -> NDArray[np.uint8]:
    """Return a view as it is looked at, reduced by averaging where `scale` is negative."""
    pixels = as_pixels(view)
    return pixels if scale > 0 else np.asarray(Image.fromarray(pixels).reduce(-scale))


def _picture(view: NDArray[Any], scale: int) -> Image.Image:
    picture, enlarged = Image.fromarray(shrunk(view, scale)), max(1, scale)
    return picture.resize((picture.width * enlarged, picture.height * enlarged), Image.Resampling.NEAREST)
