"""The results as tables that fit a terminal 60 columns wide."""

from collections.abc import Iterator
from statistics import mean

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from passband.jobs.common.wording import plain
from passband.jobs.evaluation.results import CorruptionError, Evaluation, Row
from passband.jobs.evaluation.wording import amount, percent, spell_summary


def tables(found: Evaluation) -> RenderableType:
    """Return all tables of an evaluation, one below the other, then the summaries; numbers are percent."""
    parts = [part for table in _tables(found) for part in (table, Text())]
    return Group(*parts, *(Text(spell_summary(summary)) for summary in found.summaries))


def _tables(found: Evaluation) -> Iterator[RenderableType]:
    yield _conditions(found.of_kind("test", "domain", "clean", "attack", "group"), found.job["bootstrap"]["confidence"])
    if found.corruptions:
        yield _corruptions(found)
    if filtered := found.of_kind("low", "high"):
        yield _frequency(filtered)
    if smoothed := found.over_rho():
        yield _smoothing(smoothed)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number > 0, overflow="fold")
    return table


def _conditions(rows: list[Row], confidence: float) -> Table:
    table = _table("condition", "accuracy, %", f"{100 * confidence:g} % interval", "samples")
    for row in rows:
        interval = f"{percent(row.low)} to {percent(row.high)}"
        table.add_row(plain(row.condition), percent(row.accuracy), interval, f"{row.samples:,}")
    return table


def _corruptions(found: Evaluation) -> Table:
    rows = found.of_kind("corruption")
    severities = sorted({row.level for row in rows if row.level is not None})
    relative = any(corruption.ce is not None for corruption in found.corruptions)
    table = _table("corruption", *map(str, severities), "mean", *(["CE"] if relative else []))
    table.padding = (0, 1, 0, 0)
    for corruption in found.corruptions:
        table.add_row(*_corruption(corruption, rows, severities))
    if len(found.corruptions) > 1:
        table.add_row("mean", *map(percent, _means(found, rows, severities)), *_mce(found))
    return table


def _means(found: Evaluation, rows: list[Row], severities: list[int]) -> Iterator[float]:
    """Return the mean accuracy over corruptions at each severity, then over all."""
    for severity in severities:
        yield mean(row.accuracy for row in rows if row.level == severity)
    yield mean(1 - corruption.error for corruption in found.corruptions)


def _mce(found: Evaluation) -> Iterator[str]:
    if summary := found.summary("mCE"):
        yield amount(summary, summary.value)


def _corruption(corruption: CorruptionError, rows: list[Row], severities: list[int]) -> Iterator[str]:
    by_severity = {row.level: row.accuracy for row in rows if row.family == corruption.corruption}
    yield corruption.corruption
    yield from (percent(by_severity[severity]) for severity in severities)
    yield percent(1 - corruption.error)
    if corruption.ce is not None:
        yield f"{corruption.ce:.1f}"


def _frequency(rows: list[Row]) -> Table:
    table = _table("radius", "low-pass", "high-pass")
    accuracy = {(row.kind, row.level): row.accuracy for row in rows}
    for radius in sorted({row.level for row in rows if row.level is not None}):
        table.add_row(str(radius), percent(accuracy["low", radius]), percent(accuracy["high", radius]))
    return table


def _smoothing(found: list[tuple[Row, dict[float, Row]]]) -> Table:
    strengths = sorted({rho for _, by_rho in found for rho in by_rho})
    table = _table("kernels smoothed by rho =", *(f"{rho:g}" for rho in strengths))
    table.padding = (0, 1, 0, 0)
    for row, by_rho in found:
        table.add_row(plain(row.condition), *(percent(by_rho[rho].accuracy) for rho in strengths))
    return table
