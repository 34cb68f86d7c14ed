"""The document as a table for people; columns that a terminal has no room for are left out, the least missed first."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from jobs.bench.document import Document, Row
from jobs.bench.trial import Trial
from jobs.report.wording import count, duration, significant, size


@dataclass(frozen=True)
class Column:
    """A column; `width` is about what it takes, `rank` when it is left out: the highest first."""

    title: str
    width: int
    rank: int
    text: Callable[[Row], str]


def _number(value: float | None) -> str:
    return "" if value is None else significant(value)


def _spread(row: Row) -> str:
    rate = row.images_per_s
    return "" if rate is None else f"{(rate.third - rate.first) / rate.median:.0%}"


COLUMNS = (
    Column("case", 26, 0, lambda row: row.name),
    Column("px", 3, 0, lambda row: str(row.size)),
    Column("images/s", 9, 0, lambda row: _number(row.images_per_s.median if row.images_per_s else None)),
    Column("IQR", 4, 2, _spread),
    Column("of copy", 7, 1, lambda row: "" if row.share_of_copy is None else f"{row.share_of_copy:.2%}"),
    Column("GB/s", 6, 6, lambda row: _number(row.bytes_per_s and row.bytes_per_s / 1e9)),
    Column("batch", 5, 5, lambda row: str(row.batch)),
    Column("peak", 7, 7, lambda row: "" if row.peak_bytes is None else size(row.peak_bytes)),
    Column("mJ/image", 8, 4, lambda row: _number(row.joules_per_image and 1e3 * row.joules_per_image)),
    Column("cost/10^6", 9, 3, lambda row: _number(row.cost_per_million_images)),
)


def chosen_columns(rows: Sequence[Row], width: int) -> list[Column]:
    """Return the columns that say something and fit into `width`."""
    found = [column for column in COLUMNS if column.rank == 0 or any(column.text(row) for row in rows)]
    while sum(column.width + 2 for column in found) > width and any(column.rank for column in found):
        found.remove(max(found, key=lambda column: column.rank))
    return found


def format_document(document: Document, width: int) -> str:
    """Return what was measured for a terminal of `width` columns."""
    lines = [*_headline(document), ""]
    measured = [row for row in document.rows if row.error is None]
    if measured:
        lines += [_table(measured, chosen_columns(measured, width), width), ""]
    lines += [f"{row.name} at {row.size} px failed: {row.error}" for row in document.rows if row.error is not None]
    return "\n".join(lines + _notes(document))


def _headline(document: Document) -> list[str]:
    device, settings = document.device, document.settings
    threads = f", {device.threads} threads" if device.threads else ""
    lines = [f"{device.backend}: {device.name}{threads}", f"{document.date}, medians of {settings.rounds} rounds"]
    if document.copy_bandwidth is not None:
        lines.append(f"copy of memory {significant(document.copy_bandwidth.bytes_per_s.median / 1e9)} GB/s")
    return lines


def _table(rows: Sequence[Row], columns: Sequence[Column], width: int) -> str:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.title, justify="left" if column.title == "case" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(column.text(row) for column in columns))
    buffer = io.StringIO()
    Console(file=buffer, width=width, color_system=None, highlight=False).print(table)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def _notes(document: Document) -> list[str]:
    kind = {"float32": "float32 values", "uint8": "8-bit values"}[document.settings.pixels]
    notes = [f"of copy: each image's {kind} read once and written once,", "over the time, over a copy's bandwidth"]
    notes += [] if document.energy.meter else [f"no energy: {document.energy.reason}"]
    return notes + ([] if document.complete else ["stopped early: the figures are of the rounds that were done"])


def format_trials(trials: Sequence[Trial], rounds: int, seconds: float) -> str:
    """Return what a dry run lists: each case with about how long it takes, and the whole."""
    lines = [f"{'case':<26}{'px':>5}{'batch':>7}{'about':>12}"]
    for trial in trials:
        case, spent = trial.case, duration(trial.seconds(rounds)) if trial.error is None else "fails"
        lines.append(f"{case.name:<26}{case.size:>5}{case.batch:>7}{spent:>12}")
        lines += [f"  {trial.error}"] if trial.error else []
    return "\n".join([*lines, f"{count(len(trials), 'case')}, about {duration(seconds)} (nothing is written)"])
