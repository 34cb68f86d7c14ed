"""Attacks on the page: how many images they fool, by how little; histograms; some images before and after."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Chart, Column, Mark, Sheet, Sheets, Table
from passband.jobs.comparison.curves import Axes, Line, Panel, panels_png
from passband.jobs.comparison.run import Run
from passband.jobs.comparison.studies.pictures import thumbnail_of, to_picture
from passband.jobs.comparison.studies.shown import DASH, Row, Shown
from passband.jobs.drawing.charts import variants
from passband.jobs.drawing.thumbnails import SheetRow, image_uris

_BINS = 20
_WHEN = ("before", "after")
_SHEET_BYTES = 300_000


class AttackRow(Row):
    """A method in numbers; see `Analysis.table`."""

    method: str
    images: int
    fooled: float
    pixels: float | None
    distance: float | None
    steps: float | None
    seconds: float


def _shapes(rows: Sequence[AttackRow], images: int) -> dict[str, tuple[int, ...]]:
    names = [f"{row.method}-{name}" for row in rows for name in ("reached", "pixels")]
    names += [f"{row.method}-steps" for row in rows if row.steps is not None]
    return dict.fromkeys(names, (images,))


def blocks(runs: Sequence[Run], legend: Sequence[Mark]) -> list[Chart | Table | Sheets]:
    """Return the charts of the histograms, the numbers, and the images."""
    return [*_charts(runs, legend if len(runs) > 1 else ()), _numbers(runs), *_sheets(runs)]


def _rows(run: Run) -> list[AttackRow]:
    return [AttackRow.model_validate(row) for row in run.content.results.table]


def _charts(runs: Sequence[Run], legend: Sequence[Mark]) -> Iterator[Chart]:
    pixels = _panels(runs, "pixels", ("sparsefool",))
    if pixels:
        said = Axes("perturbed pixels, %", "images, %")
        draw = variants(partial(panels_png, pixels, said))
        caption = "Of the images that were fooled; a pixel counts once, whichever of its channels differ."
        yield Chart("Share of perturbed pixels", "Histogram of the share of perturbed pixels", draw, caption, legend)
    steps = _panels(runs, "steps", ("deepfool", "sparsefool"))
    if steps:
        draw = variants(partial(panels_png, steps, Axes("steps of DeepFool", "images, %")))
        yield Chart("Steps", "Histograms of the steps that each image took", draw, "", legend)


def _panels(runs: Sequence[Run], name: str, methods: Sequence[str]) -> list[Panel]:
    """Return a panel a method, in it a histogram a run, all in the same bins."""
    found: dict[str, list[tuple[int, NDArray[np.float64]]]] = {method: [] for method in methods}
    for number, run in enumerate(runs):
        for row in _rows(run):
            if row.method in found and (values := _values(run, row.method, name)).size:
                found[row.method].append((number, values))
    every = [values for lines in found.values() for _, values in lines]
    if not every:
        return []
    edges = _edges(max(float(values.max()) for values in every), whole=name == "steps")
    return [
        Panel(method, [_line(number, values, edges) for number, values in lines])
        for method, lines in found.items()
        if lines
    ]


def _edges(largest: float, whole: bool) -> NDArray[np.float64]:
    """Return the edges of at most 20 bins; of whole numbers each has as many."""
    if not whole:
        return np.linspace(0, largest or 1.0, _BINS + 1)
    width = max(1, -(-(int(largest) + 1) // _BINS))
    return np.arange(-0.5, largest + width, width)


def _values(run: Run, method: str, name: str) -> NDArray[np.float64]:
    """Return what is counted, of the images that were fooled; pixels as percent of the image."""
    arrays, (_, height, width) = run.content.arrays, run.content.results.shape
    reached = np.asarray(arrays[f"{method}-reached"], bool)
    values = np.asarray(arrays[f"{method}-{name}"], np.float64)[reached]
    return 100 * values / (height * width) if name == "pixels" else values


def _line(number: int, values: NDArray[np.float64], edges: NDArray[np.float64]) -> Line:
    """Return a histogram as the outline of its bars."""
    shares = 100 * np.histogram(values, edges)[0] / len(values)
    return Line(number, np.repeat(edges, 2)[1:-1].tolist(), np.repeat(shares, 2).tolist())


def _numbers(runs: Sequence[Run]) -> Table:
    columns = [
        Column("analysis", "name"),
        Column("method", ""),
        *map(Column, ("images", "fooled", "pixels", "l2 distance", "steps", "seconds an image")),
        Column("surrogate", ""),
    ]
    note = (
        "Pixels, a share of the image, and l2 distance, of images in [0, 1], are medians of the images that were "
        "fooled; steps are means. Random changes as many values of each channel as SparseFool's median."
    )
    return Table("Attacks", columns, [_cells(run, row) for run in runs for row in _rows(run)], note)


def _cells(run: Run, row: AttackRow) -> list[Cell]:
    surrogate = run.content.results.surrogate
    return [
        Cell(run.label),
        Cell(row.method),
        Cell(f"{row.images:,}"),
        Cell(f"{row.fooled:.1%}"),
        Cell(DASH if row.pixels is None else f"{row.pixels:.2%}"),
        Cell(DASH if row.distance is None else wording.significant(row.distance)),
        Cell(DASH if row.steps is None else f"{row.steps:.1f}"),
        Cell(wording.significant(row.seconds)),
        Cell(surrogate.network, surrogate.sha256[:12]) if surrogate else Cell(DASH),
    ]


def _sheets(runs: Sequence[Run]) -> list[Sheets]:
    budget = _SHEET_BYTES // max(1, len(runs))
    sheets = [Sheet(run.label if len(runs) > 1 else "", _examples(run, budget), "before, after") for run in runs]
    kept = [sheet for sheet in sheets if sheet.rows]
    return [Sheets("Images that were fooled", kept, "As they were, and with the perturbation.")] if kept else []


def _examples(run: Run, budget: int) -> list[SheetRow]:
    """Return a row an image that a method fooled the model with."""
    arrays, shown = run.content.arrays, []
    for method in ("sparsefool", "deepfool"):
        rows, before, after = (arrays.get(f"{method}-{name}", np.empty(0)) for name in ("examples", *_WHEN))
        if before.ndim == 4 and before.shape == after.shape and before.dtype == after.dtype == np.uint8:
            shown += [(method, int(row), pair) for row, *pair in zip(rows, before, after, strict=False)]
    uris = iter(image_uris([to_picture(pixels) for _, _, pair in shown for pixels in pair], budget))
    return [
        SheetRow(
            method, row, [thumbnail_of(when, next(uris), pixels) for when, pixels in zip(_WHEN, pair, strict=True)]
        )
        for method, row, pair in shown
    ]


SHOWN = Shown(AttackRow, _shapes, blocks)
