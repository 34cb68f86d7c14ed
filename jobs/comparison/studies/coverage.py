"""Coverage on the page: distances by the number of views and by corruption, and the views that come nearest."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Chart, Column, Mark, Sheet, Sheets, Table
from passband.jobs.comparison.curves import Axes, Line, Panel, panels_png
from passband.jobs.comparison.run import Run
from passband.jobs.comparison.studies.pictures import thumbnail_of, to_picture
from passband.jobs.comparison.studies.shown import Row, Shown
from passband.jobs.drawing.charts import variants
from passband.jobs.drawing.thumbnails import SheetRow, image_uris

_SHEET_BYTES = 400_000


class CoverageRow(Row):
    """A recipe in numbers; see `Analysis.table`."""

    views: str
    copies: int
    images: int
    mean: float
    median: float
    growing: list[tuple[int, float]]
    corruptions: dict[str, float]


def _shapes(rows: Sequence[CoverageRow], images: int) -> dict[str, tuple[int, ...]]:
    return {f"{row.views}-distances": (images, len(row.corruptions)) for row in rows}


def blocks(runs: Sequence[Run], legend: Sequence[Mark]) -> list[Chart | Table | Sheets]:
    """Return the chart, the numbers over all corruptions and by type, and the images."""
    charts = _charts(runs, legend if len(runs) > 1 else ())
    return [*charts, _numbers(runs), _by_type(runs), *_sheets(runs)]


def _rows(run: Run) -> list[CoverageRow]:
    return [CoverageRow.model_validate(row) for row in run.content.results.table]


def _charts(runs: Sequence[Run], legend: Sequence[Mark]) -> Iterator[Chart]:
    names = list(dict.fromkeys(row.views for run in runs for row in _rows(run) if row.copies > 1))
    panels = [
        Panel(name, [_line(number, row) for number, run in enumerate(runs) for row in _rows(run) if row.views == name])
        for name in names
    ]
    if panels:
        draw = variants(
            partial(panels_png, panels, Axes("views of an image, as powers of 2", "cosine distance x 1000"))
        )
        alt = "Line charts: the mean smallest distance over the number of views, for each recipe"
        caption = "Mean over images and corruptions of the smallest distance of the first views of each image."
        yield Chart("Coverage by the number of views", alt, draw, caption, legend)


def _line(number: int, row: CoverageRow) -> Line:
    copies, distances = zip(*row.growing, strict=True)
    return Line(number, np.log2(copies).tolist(), [1000 * distance for distance in distances])


def _numbers(runs: Sequence[Run]) -> Table:
    headings = ("views of an image", "images", "corruptions", "mean x 1000", "median x 1000")
    columns = [Column("analysis", "name"), Column("recipe", ""), *map(Column, headings), Column("surrogate", "")]
    note = "Smallest cosine distance of the views to each corruption of each image, in the surrogate's embedding."
    return Table("Coverage", columns, [_cells(run, row) for run in runs for row in _rows(run)], note)


def _cells(run: Run, row: CoverageRow) -> list[Cell]:
    surrogate = run.content.results.surrogate
    counts = (row.copies, row.images, len(row.corruptions))
    return [
        Cell(run.label),
        Cell(row.views),
        *(Cell(f"{count:,}") for count in counts),
        *(Cell(wording.significant(1000 * value)) for value in (row.mean, row.median)),
        Cell(surrogate.network, surrogate.sha256[:12]) if surrogate else Cell("\u2013"),
    ]


def _by_type(runs: Sequence[Run]) -> Table:
    types = list(dict.fromkeys(kind for run in runs for row in _rows(run) for kind in _means(row)))
    columns = [Column("analysis", "name"), Column("recipe", ""), *map(Column, types)]
    rows = []
    for run in runs:
        for row in _rows(run):
            means = _means(row)
            told = (wording.significant(1000 * means[kind]) if kind in means else "\u2013" for kind in types)
            rows.append([Cell(run.label), Cell(row.views), *map(Cell, told)])
    return Table("Coverage by corruption", columns, rows, "Mean over images and severities, x 1000.")


def _means(row: CoverageRow) -> dict[str, float]:
    """Return the mean over the severities of each type: the names are TYPE-SEVERITY."""
    found: dict[str, list[float]] = {}
    for name, distance in row.corruptions.items():
        found.setdefault(name.rpartition("-")[0], []).append(distance)
    return {kind: float(np.mean(distances)) for kind, distances in found.items()}


def _sheets(runs: Sequence[Run]) -> list[Sheets]:
    budget = _SHEET_BYTES // max(1, len(runs))
    sheets = [Sheet(run.label if len(runs) > 1 else "", _examples(run, budget), "") for run in runs]
    kept = [sheet for sheet in sheets if sheet.rows]
    said = "An image, a corruption of it, and of each recipe the view that comes nearest to that."
    return [Sheets("Nearest views", kept, said)] if kept else []


def _examples(run: Run, budget: int) -> list[SheetRow]:
    arrays, rows = run.content.arrays, _rows(run)
    pictures, columns = (arrays.get(name, np.empty(0)) for name in ("examples", "example-corruptions"))
    names = list(rows[0].corruptions)
    known = columns.ndim == 1 and columns.dtype.kind in "iu" and set(columns.tolist()) <= set(range(len(names)))
    if not known or not _are_pictures(pictures, (len(columns), 2 + len(rows))):
        return []
    uris = iter(image_uris([to_picture(pixels) for group in pictures for pixels in group], budget))
    found = []
    for number, (column, group) in enumerate(zip(columns.tolist(), pictures, strict=True)):
        titles = ["clean", names[column], *(row.views for row in rows)]
        thumbnails = [thumbnail_of(title, next(uris), pixels) for title, pixels in zip(titles, group, strict=True)]
        found.append(SheetRow(names[column], number, thumbnails))
    return found


def _are_pictures(pictures: NDArray[np.generic], groups: tuple[int, int]) -> bool:
    return pictures.ndim == 5 and pictures.dtype == np.uint8 and pictures.shape[:2] == groups


SHOWN = Shown(CoverageRow, _shapes, blocks)
