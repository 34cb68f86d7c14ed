"""Margins on the page: their median and spread over subspaces, from low to high frequencies (HMT, figure 4.3)."""

from collections.abc import Iterator, Sequence
from functools import partial

from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Chart, Column, Mark, Table
from passband.jobs.comparison.curves import Axes, Line, Panel, panels_png
from passband.jobs.comparison.run import Run
from passband.jobs.comparison.studies.shown import DASH, Row, Shown
from passband.jobs.drawing.charts import variants


class MarginRow(Row):
    """A subspace in numbers; see `Analysis.table`."""

    family: str
    subspace: int
    frequency: int | None
    dimension: int
    images: int
    low: float | None
    median: float | None
    high: float | None
    unreachable: int


def _shapes(rows: Sequence[MarginRow], images: int) -> dict[str, tuple[int, ...]]:
    counts = {row.family: sum(other.family == row.family for other in rows) for row in rows}
    return {f"{family}-margins": (count, images) for family, count in counts.items()}


def blocks(runs: Sequence[Run], legend: Sequence[Mark]) -> list[Chart | Table]:
    """Return the chart of all families, and the numbers of all subspaces."""
    return [*_charts(runs, legend if len(runs) > 1 else ()), _numbers(runs)]


def _rows(run: Run) -> list[MarginRow]:
    return [MarginRow.model_validate(row) for row in run.content.results.table]


def _charts(runs: Sequence[Run], legend: Sequence[Mark]) -> Iterator[Chart]:
    families = list(dict.fromkeys(row.family for run in runs for row in _rows(run)))
    panels = [Panel(family, lines) for family in families if (lines := list(_lines(runs, family)))]
    if panels:
        draw = variants(partial(panels_png, panels, Axes("subspace", "margin, l2")))
        alt = "Line charts: the median margin over subspaces, with a band from the 5th to the 95th percentile"
        caption = "Medians of the images whose boundary was reached; bands from the 5th to the 95th percentile."
        yield Chart("Margins", alt, draw, caption, legend)


def _lines(runs: Sequence[Run], family: str) -> Iterator[Line]:
    """Yield a line a run, of the subspaces in which it reached any boundary."""
    for number, run in enumerate(runs):
        points = [
            (row.subspace, row.median, row.low, row.high)
            for row in _rows(run)
            if row.family == family and row.median is not None and row.low is not None and row.high is not None
        ]
        if points:
            x, median, low, high = (list(values) for values in zip(*points, strict=True))
            yield Line(number, x, median, low, high)


def _numbers(runs: Sequence[Run]) -> Table:
    columns = [
        Column("analysis", "name"),
        Column("subspaces", ""),
        *map(Column, ("number", "lowest frequency", "dimension", "median", "5 %", "95 %", "unreachable")),
    ]
    note = "Unreachable: images that no step within the subspace moved over a boundary; they have no margin."
    return Table("Margins by subspace", columns, [_cells(run, row) for run in runs for row in _rows(run)], note)


def _cells(run: Run, row: MarginRow) -> list[Cell]:
    margins = [DASH if value is None else wording.significant(value) for value in (row.median, row.low, row.high)]
    return [
        Cell(run.label),
        Cell(row.family),
        Cell(str(row.subspace)),
        Cell(DASH if row.frequency is None else str(row.frequency)),
        Cell(f"{row.dimension:,}"),
        *map(Cell, margins),
        Cell(f"{row.unreachable:,}", f"of {row.images:,}"),
    ]


SHOWN = Shown(MarginRow, _shapes, blocks)
