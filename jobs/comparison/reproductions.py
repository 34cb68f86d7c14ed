"""Reproductions: their tables as they are."""

from collections.abc import Iterator, Sequence
from typing import Any

from passband.jobs.comparison.blocks import Cell, Chart, Column, Section, Table, Text
from passband.jobs.comparison.results import ReproductionResults
from passband.jobs.comparison.run import Run
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.reproduce.recipes.sharpdro.given import GIVEN_IMAGES
from passband.jobs.reproduce.report import charts_of
from passband.jobs.reproduce.rows import PERCENT, UNITS, Block, Row, Unit, fill, main_unit
from passband.jobs.reproduce.tables import is_best

_TRANSPOSED_FROM = 9


def section(runs: Sequence[Run]) -> Section:
    """Return the section of the reproductions."""
    blocks = [block for run in runs for block in _blocks(run, len(runs) > 1)]
    return Section("reproductions", "Reproductions" if len(runs) > 1 else "Reproduction", blocks)


def blocks_of(found: ReproductionResults) -> list[Block]:
    """Return the tables of a reproduction, filled in."""
    images = dict.fromkeys(found.settings.get(GIVEN_IMAGES, ()), "")
    recipe = find_recipe(found.name, quick=found.quick, seeds=found.seeds, images=images)
    rows = [Row(row.fields, row.condition, tuple(row.values), UNITS.get(row.unit, PERCENT)) for row in found.rows]
    return [fill(table, rows) for table in recipe.tables]


def _blocks(run: Run, named: bool) -> Iterator[Any]:
    found: ReproductionResults = run.content
    before = f"{run.label}: " if named else ""
    blocks = blocks_of(found)
    yield Text(f"{before}{found.title}", [found.source, _what_is_shown(found, main_unit(blocks)), *found.findings])
    if found.failed:
        rows = [[Cell(name), Cell(why)] for name, why in found.failed.items()]
        yield Table(f"{before}what failed", [Column("job", "name"), Column("why", "words")], rows)
    for block in blocks:
        charts, alt = charts_of(block)
        if charts:
            yield Chart(f"{before}{block.table.title}", alt, charts)
            yield _table("", block)
        else:
            yield _table(f"{before}{block.table.title}", block)


def _what_is_shown(found: ReproductionResults, unit: Unit) -> str:
    several = " \u00b1 sample standard deviation (divisor n \u2212 1)" if found.seeds > 1 else ""
    quick = " The quick version: a check that everything works rather than a result." if found.quick else ""
    seeds = "1 seed" if found.seeds == 1 else f"{found.seeds} seeds"
    bold = "; the highest of each condition is bold" if unit.marks_best else ""
    return f"{unit.what}, mean over {seeds}{several}{bold}.{quick}"


def _table(title: str, block: Block) -> Table:
    headings = [heading for _, heading in block.table.columns]
    cells = {m: [_cell(block, rows, n) for n in range(len(rows))] for m, rows in block.methods.items()}
    if len(headings) >= _TRANSPOSED_FROM and cells:  # a column for each method: the page is no wider
        columns = [Column(block.table.chart or "", ""), *map(Column, cells)]
        rows = [[Cell(heading), *(row[n] for row in cells.values())] for n, heading in enumerate(headings)]
        return Table(title, columns, rows)
    columns = [Column("method", ""), *map(Column, headings)]
    note = "" if cells else "Nothing was measured."
    return Table(title, columns, [[Cell(method), *row] for method, row in cells.items()], note)


def _cell(block: Block, rows: Sequence[Row | None], column: int) -> Cell:
    row = rows[column]
    if row is None:
        return Cell("\u2013")
    spell = row.unit.spell
    return Cell(spell(row.mean), "" if row.std is None else f"\u00b1 {spell(row.std)}", is_best(block, rows, column))
