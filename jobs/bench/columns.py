"""Columns of a table; those that a terminal has no room for are left out, the least missed first."""

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from passband.jobs.bench.document import Spread
from passband.jobs.common.wording import significant

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column; `width` is about what it takes, `rank` when it is left out: the highest first, 0 never."""

    title: str
    width: int
    rank: int
    text: Callable[[Row], str]


def number(value: float | None) -> str:
    """Return three significant digits, or nothing for None."""
    return "" if value is None else significant(value)


def relative_spread(spread: Spread | None) -> str:
    """Return the distance between the quartiles as part of the median."""
    return "" if spread is None else f"{(spread.third - spread.first) / spread.median:.0%}"


def chosen_columns(columns: Sequence[Column[Row]], rows: Sequence[Row], width: int) -> list[Column[Row]]:
    """Return the columns that say something and fit into `width`."""
    found = [column for column in columns if column.rank == 0 or any(column.text(row) for row in rows)]
    while sum(column.width + 2 for column in found) > width and any(column.rank for column in found):
        found.remove(max(found, key=lambda column: column.rank))
    return found


def format_rows(
    columns: Sequence[Column[Row]], rows: Sequence[Row], width: int, part: Callable[[Row], object] = lambda row: None
) -> str:
    """Return a table of `width` at most, the first column to the left, with a gap where `part` changes."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for position, column in enumerate(chosen := chosen_columns(columns, rows, width)):
        table.add_column(column.title, justify="right" if position else "left", no_wrap=True)
    for row, following in itertools.zip_longest(rows, rows[1:]):
        ends = following is not None and part(following) != part(row)
        table.add_row(*(column.text(row) for column in chosen), end_section=ends)
    buffer = io.StringIO()
    Console(file=buffer, width=width, color_system=None, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
