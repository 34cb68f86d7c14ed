"""The page of a reproduction: report.html, with nothing outside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from passband.jobs.reproduce.result import Result
from passband.jobs.reproduce.rows import PERCENT, Block, Row, main_unit
from passband.jobs.reproduce.tables import is_best

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
    """A table with its chart; `alt` says what that shows."""

    title: str
    headings: list[str]
    methods: list[tuple[str, list[Cell]]]
    charts: Charts
    alt: str
    axis: str | None


@dataclass(frozen=True)
class Picture:
    """A picture without a table."""

    title: str
    charts: Charts
    alt: str


def page(result: Result) -> str:
    """Return the page of a reproduction."""
    from passband.jobs.drawing.templates import templates

    settings = yaml.safe_dump(_plain(result.recipe.settings), sort_keys=False, allow_unicode=True, width=100)
    template = templates(Path(__file__).parent).get_template("reproduction.html.j2")
    return template.render(
        recipe=result.recipe,
        findings=result.findings,
        sections=[_section(block) for block in result.blocks],
        pictures=[*_map_pictures(result), *_surface_pictures(result)],
        failed=result.failed,
        behind=result.behind,
        settings=settings,
        unit=main_unit(result.blocks),
    )


def _section(block: Block) -> Section:
    methods = [
        (method, [_cell(block, rows, column) for column in range(len(rows))]) for method, rows in block.methods.items()
    ]
    charts, alt = charts_of(block)
    return Section(block.table.title, [h for _, h in block.table.columns], methods, charts, alt, block.table.chart)


def _cell(block: Block, rows: Sequence[Row | None], column: int) -> Cell:
    row = rows[column]
    if row is None:
        return Cell("-", "", False)
    std = "" if row.std is None else f"± {row.unit.spell(row.std)}"
    return Cell(row.unit.spell(row.mean), std, is_best(block, rows, column))


def charts_of(block: Block) -> tuple[Charts, str]:
    """Return the chart of a table and what it shows; nothing where the table has none."""
    if not block.methods or (block.table.chart is None and block.table.scatter is None):
        return [], ""
    from passband.jobs.drawing.charts import variants  # matplotlib takes a while to import

    if block.table.scatter is not None:
        from passband.jobs.reproduce.scatter import names, scatter_png

        across, up = names(block)
        alt = f"A point for each network, {across} across and {up} up; the means are in the table below"
        return variants(lambda theme, width: scatter_png(block, theme, width)), alt
    from passband.jobs.reproduce.chart import curves_png

    what = "Accuracy" if main_unit([block]) == PERCENT else main_unit([block]).name.capitalize()
    alt = f"{what} against {block.table.chart}, a line for each method; the numbers are in the table below"
    return variants(lambda theme, width: curves_png(block, theme, width)), alt


def _map_pictures(result: Result) -> Iterator[Picture]:
    if not result.recipe.maps:
        return
    from passband.jobs.drawing.charts import variants
    from passband.jobs.reproduce.maps import maps_png, read_maps

    for grid in result.recipe.maps:
        maps = read_maps(grid, result.places)
        if maps:
            alt = f"{len(maps)} maps over spatial frequency, zero in the centre: {', '.join(m.title for m in maps)}"
            yield Picture(grid.title, variants(partial(maps_png, maps)), alt)


def _surface_pictures(result: Result) -> Iterator[Picture]:
    if not result.recipe.surfaces:
        return
    from passband.jobs.drawing.charts import variants
    from passband.jobs.reproduce.surface_chart import read_surface, surface_png

    for picture in result.recipe.surfaces:
        if picture.node in result.places:
            found = read_surface(result.places[picture.node])
            paths = ", ".join(found.paths)
            alt = f"Loss of the originals, loss with mixtures, and accuracy over a plane, with the paths of {paths}"
            yield Picture(picture.title, variants(partial(surface_png, found, picture.accuracy)), alt)


def _plain(value: object) -> object:
    """Return mappings and sequences as YAML's own."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return value
