"""Spectra on the page: the share of energy over subspaces, of views and of what they add to the clean image."""

from collections.abc import Iterator, Sequence
from functools import partial

from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Chart, Column, Mark, Table
from passband.jobs.comparison.curves import Axes, Line, Panel, panels_png
from passband.jobs.comparison.run import Run
from passband.jobs.comparison.studies.shown import DASH, Row, Shown
from passband.jobs.drawing.charts import variants

_TITLES = {"own": "Energy of views", "added": "Energy of what views add to the clean image"}
_LEAST = 1e-3
"""Percent; what is less is drawn there: a logarithmic axis has no zero."""
_CAPTION = (
    "Blocks of the DCT along its diagonal: medians over the images, with bands from the 5th to the 95th percentile. "
    f"Less than {_LEAST} % is drawn as that."
)


class SpectrumRow(Row):
    """A recipe's views, or what they add, in a subspace; see `Analysis.table`."""

    views: str
    energy: str
    subspace: int
    frequency: int
    images: int
    low: float | None
    median: float | None
    high: float | None
    without: int


def _shapes(rows: Sequence[SpectrumRow], images: int) -> dict[str, tuple[int, ...]]:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row.views, row.energy] = counts.get((row.views, row.energy), 0) + 1
    copies = {row.views: row.images // images for row in rows}
    return {f"{views}-{energy}": (copies[views], images, count) for (views, energy), count in counts.items()}


def blocks(runs: Sequence[Run], legend: Sequence[Mark]) -> list[Chart | Table]:
    """Return the charts of views and of what they add, and the numbers of all subspaces."""
    return [*_charts(runs, legend if len(runs) > 1 else ()), _numbers(runs)]


def _rows(run: Run) -> list[SpectrumRow]:
    return [SpectrumRow.model_validate(row) for row in run.content.results.table]


def _charts(runs: Sequence[Run], legend: Sequence[Mark]) -> Iterator[Chart]:
    for energy, title in _TITLES.items():
        names = list(dict.fromkeys(row.views for run in runs for row in _rows(run) if row.energy == energy))
        panels = [Panel(name, lines) for name in names if (lines := list(_lines(runs, name, energy)))]
        if panels:
            said = Axes("lowest frequency of the subspace", "share of energy, %", logarithmic=True)
            alt = "Line charts: median share of energy over subspaces, with a band from the 5th to the 95th percentile"
            yield Chart(title, alt, variants(partial(panels_png, panels, said)), _CAPTION, legend)


def _lines(runs: Sequence[Run], name: str, energy: str) -> Iterator[Line]:
    """Yield a line a run, in percent, where any view has energy."""
    for number, run in enumerate(runs):
        points = [
            (row.frequency, *(max(_LEAST, 100 * share) for share in (row.median, row.low, row.high)))
            for row in _rows(run)
            if (row.views, row.energy) == (name, energy)
            and row.median is not None
            and row.low is not None
            and row.high is not None
        ]
        if points:
            x, median, low, high = (list(values) for values in zip(*points, strict=True))
            yield Line(number, x, median, low, high)


def _numbers(runs: Sequence[Run]) -> Table:
    headings = ("number", "lowest frequency", "median, %", "5 %", "95 %", "without energy")
    columns = [Column("analysis", "name"), Column("views", ""), *map(Column, headings)]
    note = "Shares of the energy of all frequencies. Without energy: views that are all zero, or that add nothing."
    return Table("Energy by subspace", columns, [_cells(run, row) for run in runs for row in _rows(run)], note)


def _cells(run: Run, row: SpectrumRow) -> list[Cell]:
    shares = [DASH if share is None else wording.significant(100 * share) for share in (row.median, row.low, row.high)]
    return [
        Cell(run.label),
        Cell(row.views if row.energy == "own" else f"{row.views} - clean"),
        Cell(str(row.subspace)),
        Cell(str(row.frequency)),
        *map(Cell, shares),
        Cell(f"{row.without:,}", f"of {row.images:,}"),
    ]


SHOWN = Shown(SpectrumRow, _shapes, blocks)
