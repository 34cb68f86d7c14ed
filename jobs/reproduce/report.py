"""The page of a reproduction: report.html, with nothing outside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from jobs.reproduce.rows import Block, Row
from jobs.reproduce.tables import is_best

if TYPE_CHECKING:
    from jobs.reproduce.outcome import Result

Charts = list[tuple[str, str]]
"""(media query, data URI), the first that fits is shown; the last has an empty query."""


@dataclass(frozen=True)
class Cell:
    """A number of a table as it is shown."""

    mean: str
    std: str
    best: bool


@dataclass(frozen=True)
class Section:
    """A table with its chart."""

    title: str
    headings: list[str]
    methods: list[tuple[str, list[Cell]]]
    charts: Charts
    axis: str | None


def page(result: "Result") -> str:
    """Return the page of a reproduction."""
    from jobs.report.templates import templates

    settings = yaml.safe_dump(_plain(result.recipe.settings), sort_keys=False, allow_unicode=True, width=100)
    template = templates().get_template("reproduction.html.j2")
    return template.render(
        recipe=result.recipe,
        findings=result.findings,
        sections=[_section(block) for block in result.blocks],
        failed=result.failed,
        behind=result.behind,
        settings=settings,
    )


def _section(block: Block) -> Section:
    methods = [
        (method, [_cell(block, rows, column) for column in range(len(rows))]) for method, rows in block.methods.items()
    ]
    charts = _charts(block) if block.table.chart and block.methods else []
    return Section(block.table.title, [h for _, h in block.table.columns], methods, charts, block.table.chart)


def _cell(block: Block, rows: Sequence[Row | None], column: int) -> Cell:
    row = rows[column]
    if row is None:
        return Cell("-", "", False)
    return Cell(f"{row.mean:.1f}", "" if row.std is None else f"± {row.std:.1f}", is_best(block, rows, column))


def _charts(block: Block) -> Charts:
    from jobs.report import charts  # matplotlib takes a while to import
    from jobs.reproduce.chart import accuracy_png

    return charts.variants(lambda theme, width: accuracy_png(block, theme, width))


def _plain(value: object) -> object:
    """Return mappings and sequences as YAML's own."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value
