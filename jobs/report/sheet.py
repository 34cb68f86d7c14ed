"""A contact sheet: one row a sample, the clean image beside its other views."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from numpy.typing import NDArray
from PIL import Image, ImageDraw

from jobs.report.lettering import sheet_font, shorten
from jobs.report.wording import class_name
from pipeline.manifest import Manifest, ViewEntry, canonical_json
from pipeline.shards.decode import Sample, as_pixels

MAX_ROWS, MAX_VIEWS, LOOKED_AT = 10, 16, 256
TARGET = 96  # pixels of the longer side that small images are scaled up to, by a whole factor
LARGEST = 256  # above it, images are reduced by a whole factor
PAPER, INK, QUIET = (255, 255, 255), (34, 34, 34), (110, 110, 110)
_GAP, _MARGIN, _FONT_SIZE, _NARROWEST, _WIDEST_HEADING = 8, 12, 13, 72, 160


def contact_sheet(samples: Sequence[Sample], manifest: Manifest, views: Sequence[ViewEntry] | None = None) -> bytes:
    """Return the contact sheet of `samples` as PNG; `views` are the columns, by default those of `choose_views`."""
    columns = choose_views(manifest.views) if views is None else views
    names = [view.name for view in columns]
    sheet = draw_sheet(samples, names, classes=manifest.classes, numbers=[view.number for view in columns])
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=6)
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
class _Grid:
    """Pixels of a cell and where the first one starts."""

    width: int
    height: int
    left: int
    top: int

    def place(self, row: int, column: int) -> tuple[int, int]:
        return self.left + column * (self.width + _GAP), self.top + row * (self.height + _GAP)


def draw_sheet(
    samples: Sequence[Sample],
    view_names: Sequence[str],
    *,
    classes: Sequence[str] = (),
    numbers: Sequence[int] | None = None,
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

    Returns
    -------
    RGB image. Small views are scaled up by a whole factor without smoothing, so that a pixel stays a square; those
    above 256 pixels are reduced by averaging. Views stored as float16 are stretched from their own minimum and
    maximum.
    """
    numbers = range(len(view_names)) if numbers is None else numbers
    rows = [[_picture(sample.views[number]) for number in numbers] for sample in samples]
    pictures = [picture for row in rows for picture in row]
    font, names = sheet_font(_FONT_SIZE), [class_name(sample.label, classes) for sample in samples]
    headings = [font.getlength(text) for text in (*names, *map(_number, samples))]
    grid = _Grid(
        width=max([_NARROWEST, *(picture.width for picture in pictures)]),
        height=max([3 * _FONT_SIZE, *(picture.height for picture in pictures)]),
        left=_MARGIN + min(_WIDEST_HEADING, int(max(headings, default=0))) + 2 * _GAP,
        top=_MARGIN + _FONT_SIZE + _GAP,
    )
    right, bottom = grid.place(max(1, len(rows)), max(1, len(view_names)))
    sheet = Image.new("RGB", (right - _GAP + _MARGIN, bottom - _GAP + _MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, name in enumerate(view_names):
        left, _ = grid.place(0, column)
        pen.text((left, _MARGIN - 2), shorten(name, grid.width, font), fill=INK, font=font)
    for row, (sample, name) in enumerate(zip(samples, names, strict=True)):
        _, top = grid.place(row, 0)
        pen.text((_MARGIN, top), shorten(name, _WIDEST_HEADING, font), fill=INK, font=font)
        pen.text((_MARGIN, top + _FONT_SIZE + 5), _number(sample), fill=QUIET, font=font)
    for row, row_pictures in enumerate(rows):
        for column, picture in enumerate(row_pictures):
            sheet.paste(picture, grid.place(row, column))
    return sheet


def _number(sample: Sample) -> str:
    return f"sample {sample.index}"


def scale_of(height: int, width: int) -> int:
    """Return the whole factor by which a view is scaled up; negative: reduced by."""
    longest = max(height, width)
    return -longest // LARGEST if longest > LARGEST else max(1, TARGET // longest)


def _picture(view: NDArray[Any]) -> Image.Image:
    picture = Image.fromarray(as_pixels(view))
    factor = scale_of(picture.height, picture.width)
    if factor < 0:
        return picture.reduce(-factor)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
