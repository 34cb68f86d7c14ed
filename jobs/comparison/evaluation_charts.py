"""The charts of several evaluations: over severity, over frequency, by domain and by group."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import fmean

from passband.jobs.comparison.blocks import Chart, Mark, Variants
from passband.jobs.comparison.curves import Axes, Line, Panel, panels_png
from passband.jobs.comparison.dots import Dot, Row, dots_png
from passband.jobs.drawing.charts import Theme
from passband.jobs.evaluation.results import Evaluation
from passband.jobs.evaluation.results import Row as Measured

Draw = Callable[[Callable[[Theme, float], bytes]], Variants]


def charts_of(found: Sequence[Evaluation], legend: Sequence[Mark], draw: Draw) -> list[Chart]:
    """Return the charts that these evaluations have numbers for."""
    return list(_charts(found, legend if len(found) > 1 else (), draw))


def _charts(found: Sequence[Evaluation], legend: Sequence[Mark], draw: Draw) -> Iterator[Chart]:
    if panels := severity_panels(found):
        levels = sorted({level for panel in panels for line in panel.lines for level in line.x})
        drawn = draw(partial(panels_png, panels, Axes("severity", "accuracy, %", percent=True, ticks=levels)))
        caption = "Severity 0 is the clean image; bands are the intervals."
        yield Chart(
            "Accuracy by severity", "Line charts: accuracy over severity, one a corruption", drawn, caption, legend
        )
    if panels := frequency_panels(found):
        radii = sorted({radius for panel in panels for line in panel.lines for radius in line.x})
        said = Axes("radius, frequency bins", "accuracy, %", percent=True, ticks=radii)
        drawn = draw(partial(panels_png, panels, said))
        caption = "A low-pass keeps what is nearer to zero frequency than the radius, a high-pass the rest."
        yield Chart(
            "Accuracy by frequency", "Line charts: accuracy over the radius of a filter", drawn, caption, legend
        )
    titles = {"domain": "Accuracy by domain", "attack": "Accuracy under attack", "group": "Accuracy by group"}
    for kind, title in titles.items():
        if rows := dot_rows(found, kind):
            drawn = draw(partial(dots_png, rows, len(found)))
            yield Chart(title, f"Dots with intervals: accuracy, a row for each {kind}", drawn, "", legend)


def severity_panels(found: Sequence[Evaluation]) -> list[Panel]:
    """Return a panel for each corruption, the mean of all first where there are several."""
    rows = [evaluation.of_kind("corruption") for evaluation in found]
    families = list(dict.fromkeys(row.family for there in rows for row in there))
    panels = []
    for family in families:
        lines = []
        for number, there in enumerate(rows):
            own = [row for row in there if row.family == family]
            if own:
                lines.append(_line(number, [*found[number].of_kind("clean"), *own]))
        panels.append(Panel(family.replace("_", " "), lines))
    means = [_mean(number, evaluation) for number, evaluation in enumerate(found) if rows[number]]
    return [Panel("mean of all", means), *panels] if len(families) > 1 else panels


def frequency_panels(found: Sequence[Evaluation]) -> list[Panel]:
    """Return a panel for the low-pass and one for the high-pass; [] where neither was measured."""
    panels = []
    for kind, title in (("low", "low-pass"), ("high", "high-pass")):
        rows = [[row for row in evaluation.rows if row.kind == kind and row.smoothing is None] for evaluation in found]
        lines = [_line(number, there) for number, there in enumerate(rows) if there]
        panels += [Panel(title, lines)] if lines else []
    return panels


def dot_rows(found: Sequence[Evaluation], kind: str) -> list[Row]:
    """Return a row for the test set and one for each condition of this kind; [] where there is none."""
    plain = [row for evaluation in found for row in evaluation.rows if row.smoothing is None]
    titles = dict.fromkeys(row.condition for row in plain if row.kind == kind)
    if not titles:
        return []
    return [_dots(found, title) for title in ("test", *titles)]


def _dots(found: Sequence[Evaluation], title: str) -> Row:
    dots = {
        number: Dot(100 * row.accuracy, 100 * row.low, 100 * row.high)
        for number, evaluation in enumerate(found)
        for row in evaluation.rows
        if row.condition == title
    }
    return Row(title.removeprefix("domain "), dots)


def _line(number: int, rows: Sequence[Measured]) -> Line:
    ordered = sorted(rows, key=lambda row: row.level or 0)
    return Line(
        number,
        [row.level or 0 for row in ordered],
        [100 * row.accuracy for row in ordered],
        [100 * row.low for row in ordered],
        [100 * row.high for row in ordered],
    )


def _mean(number: int, evaluation: Evaluation) -> Line:
    rows = evaluation.of_kind("clean", "corruption")
    levels = sorted({row.level or 0 for row in rows})
    return Line(number, levels, [100 * fmean(row.accuracy for row in rows if (row.level or 0) == at) for at in levels])
