"""Trainings side by side: what they came to, how they came there, and how their jobs differ."""

import math
from collections.abc import Sequence
from functools import partial

from passband.jobs.common import wording
from passband.jobs.comparison.blocks import Cell, Chart, Column, Mark, Section, Table
from passband.jobs.comparison.curves import Axes, Line, Panel, marks, panels_png, thinned
from passband.jobs.comparison.differences import differing_keys
from passband.jobs.comparison.reading import Training
from passband.jobs.comparison.run import Run
from passband.jobs.drawing.charts import variants
from passband.jobs.evaluation.wording import percent

_ACCURACY, _LOSS = "accuracy/", "loss/"


def section(runs: Sequence[Run]) -> Section:
    """Return the section of the trainings."""
    legend = marks([run.label for run in runs])
    blocks = [_numbers(runs), *_charts(runs, legend), *_differences(runs)]
    return Section("trainings", "Trainings" if len(runs) > 1 else "Training", blocks)


def _accuracies(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.content.results.accuracy))


def _numbers(runs: Sequence[Run]) -> Table:
    accuracies = _accuracies(runs)
    best = {name: _best(runs, name) for name in accuracies}
    columns = [
        Column("training", "name"),
        Column("network", ""),
        Column("objective", ""),
        *map(Column, ("epochs", "steps", "loss")),
        *(Column(f"{name.removeprefix(_ACCURACY)},\u00a0%") for name in accuracies),
        *map(Column, ("time", "samples/s", "waiting")),
        Column("device", ""),
    ]
    note = "Waiting: share of the time in which the next batch was not there yet." + (
        " Losses of different objectives are different things." if _objectives(runs) > 1 else ""
    )
    return Table("Numbers", columns, [_row(run, best) for run in runs], note)


def _best(runs: Sequence[Run], name: str) -> str | None:
    there = [run.content.results.accuracy[name] for run in runs if name in run.content.results.accuracy]
    return percent(max(there)) if len(there) > 1 else None


def _objectives(runs: Sequence[Run]) -> int:
    return len({run.content.results.objective for run in runs})


def _row(run: Run, best: dict[str, str | None]) -> list[Cell]:
    found = run.content.results
    said = {name: percent(found.accuracy[name]) if name in found.accuracy else "\u2013" for name in best}
    processes = f"{found.processes} processes" if found.processes > 1 else ""
    return [
        Cell(run.label),
        Cell(found.network, f"{found.parameters:,} parameters"),
        Cell(found.objective),
        Cell(f"{found.epochs:,g}"),
        Cell(f"{found.steps:,}"),
        Cell(f"{found.loss:.4f}"),
        *(Cell(text, best=text == best[name]) for name, text in said.items()),
        Cell(wording.duration(found.seconds)),
        Cell(wording.significant(found.samples_per_s)),
        Cell(f"{found.waiting_share:.1%}"),
        Cell(found.device, processes),
    ]


def _charts(runs: Sequence[Run], legend: Sequence[Mark]) -> list[Chart]:
    loss = [line for number, run in enumerate(runs) if (line := _line(number, run.content, "loss", 1.0)) is not None]
    panels = _panels(runs, _accuracies(runs), _ACCURACY, 100.0)
    losses = _panels(runs, list(dict.fromkeys(name for run in runs for name in run.content.results.losses)), _LOSS, 1.0)
    long = any(len(run.content.metrics) > len(run.content.results.accuracy) + 200 for run in runs)
    caption = "Of more than 200 logged steps, neighbours are averaged." if long else ""
    ticks = _epochs(runs)
    charts = [_chart("Loss", [Panel("", loss)], Axes("epoch", "loss", ticks=ticks), caption, legend)] if loss else []
    if panels:
        said = Axes("epoch", "accuracy, %", percent=True, ticks=ticks)
        charts.append(_chart("Accuracy", panels, said, "", legend))
    if losses:
        watched = "Of the training set's own images, without crops and flips."
        charts.append(_chart("Loss by view", losses, Axes("epoch", "loss", ticks=ticks), watched, legend))
    return charts


def _panels(runs: Sequence[Run], names: Sequence[str], prefix: str, factor: float) -> list[Panel]:
    """Return a panel for each metric of `names` that a run has logged."""
    return [
        Panel(name.removeprefix(prefix), lines)
        for name in names
        if (lines := [line for n, run in enumerate(runs) if (line := _line(n, run.content, name, factor)) is not None])
    ]


def _epochs(runs: Sequence[Run]) -> list[float] | None:
    """Return the ticks of the axis where there are few epochs; None leaves them to matplotlib."""
    most = math.ceil(max(run.content.results.epochs for run in runs))
    return [float(epoch) for epoch in range(most + 1)] if most <= 10 else None


def _chart(title: str, panels: Sequence[Panel], said: Axes, caption: str, legend: Sequence[Mark]) -> Chart:
    alt = f"Line chart: {title.lower()} over epochs, a line for each training"
    return Chart(title, alt, variants(partial(panels_png, panels, said)), caption, legend if len(legend) > 1 else ())


def _line(number: int, found: Training, name: str, factor: float) -> Line | None:
    """Return the metric `name` over epochs, which trainings of unlike batches have in common."""
    steps = found.results.steps / found.results.epochs
    points = [(line["step"] / steps, line[name]) for line in found.metrics if isinstance(line.get(name), int | float)]
    if not points or steps == 0:
        return None
    x, y = thinned([x for x, _ in points], [factor * y for _, y in points])
    return Line(number, x, y)


def _differences(runs: Sequence[Run]) -> list[Table]:
    if len(runs) < 2:
        return []
    found = differing_keys([run.content.job for run in runs])
    columns = [Column("key of the job", "name"), *(Column(run.label, "name") for run in runs)]
    rows = [[Cell(key), *map(Cell, values)] for key, values in found.items()]
    note = "Name and place of the output are left out." if rows else "The jobs are equal but for name and output."
    return [Table("What differs between the jobs", columns, rows, note)]
