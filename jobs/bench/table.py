"""What was measured of the stages, as a table for people."""

import textwrap
from collections.abc import Sequence

from passband.jobs.bench.cases import is_attack
from passband.jobs.bench.columns import Column, format_rows, number, relative_spread
from passband.jobs.bench.document import DeviceFacts, Document, Row
from passband.jobs.bench.machine import is_busy
from passband.jobs.bench.trial import Trial
from passband.jobs.common.wording import count, duration, significant, size

COLUMNS = (
    Column[Row]("case", 26, 0, lambda row: row.name),
    Column[Row]("px", 3, 0, lambda row: str(row.size)),
    Column[Row]("images/s", 9, 0, lambda row: number(row.images_per_s.median if row.images_per_s else None)),
    Column[Row]("IQR", 4, 2, lambda row: relative_spread(row.images_per_s)),
    Column[Row]("of copy", 7, 1, lambda row: "" if row.share_of_copy is None else f"{row.share_of_copy:.2%}"),
    Column[Row]("GB/s", 6, 6, lambda row: number(row.bytes_per_s and row.bytes_per_s / 1e9)),
    Column[Row]("batch", 5, 5, lambda row: str(row.batch)),
    Column[Row]("peak", 7, 7, lambda row: "" if row.peak_bytes is None else size(row.peak_bytes)),
    Column[Row]("mJ/image", 8, 4, lambda row: number(row.joules_per_image and 1e3 * row.joules_per_image)),
    Column[Row]("cost/10^6", 9, 3, lambda row: number(row.cost_per_million_images)),
)


def format_document(document: Document, width: int) -> str:
    """Return what was measured for a terminal of `width` columns."""
    measured = [row for row in document.rows if row.rounds]
    failed = [f"{row.name} at {row.size} px failed: {row.error}" for row in document.rows if row.error is not None]
    parts = [wrapped(_headline(document), width)]
    parts += [format_rows(COLUMNS, measured, width, part=lambda row: row.size)] if measured else []
    return "\n\n".join([*parts, wrapped([*failed, *_notes(document)], width)])


def wrapped(lines: Sequence[str], width: int) -> str:
    """Return lines of words, those that are too long broken between words."""
    return "\n".join(textwrap.fill(line, width, subsequent_indent="  ") for line in lines)


def _headline(document: Document) -> list[str]:
    lines = [spell_device(document.device), f"{document.date}, medians of {count(document.settings.rounds, 'round')}"]
    if document.copy_bandwidth is not None:
        lines.append(f"copy of memory {significant(document.copy_bandwidth.bytes_per_s.median / 1e9)} GB/s")
    return lines


def spell_device(device: DeviceFacts) -> str:
    """Return backend, device and threads in words, and whether others used the machine."""
    threads = f", {count(device.threads, 'thread')}" if device.threads else ""
    busy = f"; the machine was busy: load {device.load:g} on {count(device.cpus, 'CPU')}" if is_busy(device) else ""
    return f"{device.backend}: {device.name}{threads}{busy}"


def _notes(document: Document) -> list[str]:
    kind = {"float32": "float32 values", "uint8": "8-bit values"}[document.settings.pixels]
    notes = [f"of copy: each image's {kind} read once and written once, over the time, over a copy's bandwidth"]
    notes += [f"attacks: against a network: {document.settings.surrogate}"] if _attacks(document) else []
    notes += [] if document.energy.meter else [f"no energy: {document.energy.reason}"]
    if document.complete:
        return notes
    begun = any(row.rounds for row in document.rows)
    return [*notes, "stopped early: the figures are of the rounds that were done" if begun else "stopped too early"]


def _attacks(document: Document) -> bool:
    return any(is_attack(row.stage) for row in document.rows)


def format_trials(trials: Sequence[Trial], rounds: int, seconds: float) -> str:
    """Return what a dry run lists: each case with about how long it takes, and the whole."""
    lines = [f"{'case':<26}{'px':>5}{'batch':>7}{'about':>12}"]
    for trial in trials:
        case, spent = trial.case, duration(trial.seconds(rounds)) if trial.error is None else "fails"
        lines.append(f"{case.name:<26}{case.size:>5}{case.batch:>7}{spent:>12}")
        lines += [f"  {trial.error}"] if trial.error else []
    return "\n".join([*lines, f"{count(len(trials), 'case')}, about {duration(seconds)} (nothing is written)"])
