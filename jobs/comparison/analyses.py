"""Analyses side by side: their maps in one scale of colours a unit, what other studies found, and their numbers."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from passband.jobs.analysis.frequencies import distinct_frequencies
from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Chart, Column, Section, Table
from passband.jobs.comparison.curves import marks
from passband.jobs.comparison.run import Run
from passband.jobs.comparison.studies import SHOWN
from passband.jobs.drawing.charts import variants
from passband.jobs.drawing.heatmaps import Heatmap, fitted_width, heatmaps_png

_WIDE = 9.6


def section(runs: Sequence[Run]) -> Section:
    """Return the section of the analyses."""
    blocks: list[Any] = [chart for what in ("sensitivity", "amplitude") if (chart := _chart(runs, what)) is not None]
    if of_maps := [run for run in runs if run.content.results.of_maps]:
        blocks.append(_numbers(of_maps))
    for what in dict.fromkeys(run.content.results.what for run in runs if run not in of_maps):
        own = [run for run in runs if run.content.results.what == what]
        blocks += SHOWN[what].blocks(own, marks([run.label for run in own])) if what in SHOWN else [_rows(what, own)]
    return Section("analyses", "Analyses" if len(runs) > 1 else "Analysis", blocks)


def _rows(what: str, runs: Sequence[Run]) -> Table:
    """Return the rows of a study that the page knows nothing of."""
    keys = list(dict.fromkeys(key for run in runs for row in run.content.results.table for key in row))
    rows = [
        [Cell(run.label), *(Cell(str(row.get(key, "\u2013"))) for key in keys)]
        for run in runs
        for row in run.content.results.table
    ]
    return Table(what.capitalize(), [Column("analysis", "name"), *map(Column, keys)], rows)


def _maps(runs: Sequence[Run], what: str) -> list[Heatmap]:
    return [
        Heatmap(run.label, values, name) if len(runs) > 1 else Heatmap(name, values)
        for run in runs
        if run.content.results.what == what
        for name, values in run.content.maps.items()
    ]


def _chart(runs: Sequence[Run], what: str) -> Chart | None:
    maps = _maps(runs, what)
    if not maps:
        return None
    largest = max(
        entry.largest for run in runs if run.content.results.what == what for entry in run.content.results.maps
    )
    amplitude = what == "amplitude"
    label = "mean amplitude" if amplitude else "error rate"
    draw = partial(heatmaps_png, maps, largest=largest, logarithmic=amplitude, label=label)
    said = (
        "Mean amplitude of the unnormalised discrete Fourier transform, in a logarithmic scale."
        if amplitude
        else "Error rate of the surrogate with each frequency perturbed."
    )
    together = " All maps share one scale." if len(maps) > 1 else ""
    coarse = not amplitude and any(entry.frequencies for run in runs for entry in run.content.results.maps)
    together += " On a coarser grid, what lies between has the value of the nearest frequency." if coarse else ""
    return Chart(
        title="Amplitude" if amplitude else "Sensitivity",
        alt=f"Heatmaps over frequency, zero in the centre: {', '.join(map(_said, maps))}",
        variants=variants(lambda theme, width: draw(theme=theme, width=width)),
        caption=f"{said} Zero frequency is in the centre.{together}",
        widest=max(380, round(100 * fitted_width(maps, _WIDE))),
    )


def _said(heatmap: Heatmap) -> str:
    return f"{heatmap.title}: {heatmap.note}" if heatmap.note else heatmap.title


def _numbers(runs: Sequence[Run]) -> Table:
    columns = [
        Column("analysis", "name"),
        Column("map", ""),
        *map(Column, ("mean l1 norm", "standard error", "largest", "samples", "pixels")),
        Column("surrogate", ""),
        *map(Column, ("time", "in the model")),
    ]
    rows = [_row(run, place) for run in runs for place in range(len(run.content.results.maps))]
    note = "Standard error: of the mean l1 norm. Time is added up over the workers; in the model: the share of it that "
    note += "the surrogate took."
    return Table("Numbers", columns, rows, note)


def _row(run: Run, place: int) -> list[Cell]:
    found = run.content.results
    summary = found.maps[place]
    _, height, width = found.shape
    numbers = [
        "\u2013" if value is None else wording.significant(value)
        for value in (summary.mean_l1, summary.standard_error, summary.largest)
    ]
    surrogate = found.surrogate
    return [
        Cell(run.label),
        Cell(summary.name),
        *map(Cell, numbers),
        Cell(f"{found.samples:,}", f"of {found.of:,}"),
        Cell(f"{height} \u00d7 {width}", _evaluated(summary.frequencies, height, width)),
        Cell(surrogate.network, surrogate.sha256[:12]) if surrogate else Cell("\u2013"),
        Cell(wording.duration(found.seconds)),
        Cell("\u2013" if found.model_share is None else f"{found.model_share:.0%}"),
    ]


def _evaluated(frequencies: int | None, height: int, width: int) -> str:
    """Say how many frequencies were evaluated, where not all were."""
    if frequencies is None:
        return ""
    return f"{frequencies:,} of {len(distinct_frequencies(height, width)):,} frequencies"
