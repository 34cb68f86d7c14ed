"""Evaluations side by side: accuracy under every condition, summaries, and curves over severity and frequency."""

from collections.abc import Sequence

from passband.jobs.comparison.blocks import Cell, Column, Section, Table
from passband.jobs.comparison.conditions import Condition, Measured, conditions_of, same_images
from passband.jobs.comparison.curves import marks
from passband.jobs.comparison.evaluation_charts import charts_of
from passband.jobs.comparison.run import Run
from passband.jobs.drawing.charts import variants
from passband.jobs.evaluation.results import Evaluation, Summary
from passband.jobs.evaluation.wording import NAMES, amount, percent

_LOWER_IS_BETTER = ("mean_error", "mCE")
_OTHER_IMAGES = "\u2020"
_NOT_COMPARABLE = f"{_OTHER_IMAGES} not of the same images in all columns, so not comparable."


def section(runs: Sequence[Run]) -> Section:
    """Return the section of the evaluations."""
    found: list[Evaluation] = [run.content for run in runs]
    legend = marks([run.label for run in runs])
    blocks = [_networks(runs), *_summaries(runs), _accuracies(runs), *charts_of(found, legend, variants)]
    return Section("evaluations", "Evaluations" if len(runs) > 1 else "Evaluation", blocks)


def _networks(runs: Sequence[Run]) -> Table:
    columns = [Column("evaluation", "name"), Column("network", ""), Column("batch-norm statistics", "")]
    columns += [Column("checkpoint", "name"), Column("sha256", "")]
    rows = []
    for run in runs:
        found: Evaluation = run.content
        adapt = found.job.get("adapt")
        statistics = f"adapted to {adapt['batch']} samples, prior {adapt['prior']}" if adapt else "the training's"
        said = (found.checkpoint.network, statistics, found.checkpoint.path, found.checkpoint.sha256[:12])
        rows.append([Cell(run.label), *map(Cell, said)])
    return Table("What was evaluated", columns, rows)


def _headings(runs: Sequence[Run], first: str) -> list[Column]:
    return [Column(first, "condition"), *(Column(run.label) for run in runs)]


def _accuracies(runs: Sequence[Run]) -> Table:
    found = conditions_of([run.content for run in runs])
    note = f"Percent, with {_confidence(runs)} intervals; a corruption's is the mean over its severities."
    note += " The highest of each row is bold." if len(runs) > 1 else ""
    if not all(condition.alike for condition in found):
        note += f" {_NOT_COMPARABLE}"
    return Table("Accuracy", _headings(runs, "condition"), [_row(condition) for condition in found], note)


def _confidence(runs: Sequence[Run]) -> str:
    levels = {run.content.job.get("bootstrap", {}).get("confidence", 0.95) for run in runs}
    return " and ".join(f"{100 * level:g} %" for level in sorted(levels))


def _row(condition: Condition) -> list[Cell]:
    shown = [percent(found.accuracy) for found in condition.measured if found is not None]
    best = max(shown, key=float) if len(shown) > 1 and condition.alike else None
    title = condition.title if condition.alike else f"{condition.title} {_OTHER_IMAGES}"
    return [Cell(title), *(_accuracy(found, best) for found in condition.measured)]


def _accuracy(found: Measured | None, best: str | None) -> Cell:
    if found is None:
        return Cell("\u2013")
    text = percent(found.accuracy)
    return Cell(text, f"{percent(found.low)} to {percent(found.high)}", text == best)


def _summaries(runs: Sequence[Run]) -> list[Table]:
    names = [name for name in NAMES if any(run.content.summary(name) for run in runs)]
    if not names:
        return []
    found = [run.content for run in runs]
    alike = {name: same_images(found, name) for name in names}
    rows = [_summary_row(name, [one.summary(name) for one in found], alike[name]) for name in names]
    note = (
        "Percent. An mCE is relative to a baseline; lower is better, as for errors." if "mCE" in names else "Percent."
    )
    note += "" if all(alike.values()) else f" {_NOT_COMPARABLE}"
    return [Table("Summaries", _headings(runs, "number"), rows, note)]


def _summary_row(name: str, found: Sequence[Summary | None], alike: bool) -> list[Cell]:
    shown = [amount(summary, summary.value) for summary in found if summary is not None]
    choose = min if name in _LOWER_IS_BETTER else max
    best = choose(shown, key=float) if len(shown) > 1 and alike else None
    return [Cell(NAMES[name] if alike else f"{NAMES[name]} {_OTHER_IMAGES}"), *(_summary(one, best) for one in found)]


def _summary(summary: Summary | None, best: str | None) -> Cell:
    if summary is None:
        return Cell("\u2013")
    text = amount(summary, summary.value)
    of = f"{summary.of}, " if summary.of else ""
    note = f"{of}{amount(summary, summary.low)} to {amount(summary, summary.high)}"
    return Cell(text, note, text == best)
