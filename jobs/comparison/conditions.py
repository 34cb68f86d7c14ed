"""Accuracies of several evaluations, condition by condition: what stands in one row of the table."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from passband.jobs.evaluation.results import CorruptionError, Evaluation, Kind, Row

_SUMMARIZED: dict[str, Kind] = {
    "mean_domain_accuracy": "domain",
    "mean_corruption_accuracy": "corruption",
    "mean_error": "corruption",
    "mCE": "corruption",
    "worst_group": "group",
}
"""Summary -> the kind of conditions that it is over."""


@dataclass(frozen=True)
class Measured:
    """An accuracy with its interval, 0 to 1; `images` is equal where the same images were seen."""

    accuracy: float
    low: float
    high: float
    images: Hashable


@dataclass(frozen=True)
class Condition:
    """One condition, or all severities of a corruption, in every evaluation; None where it was not measured."""

    title: str
    measured: list[Measured | None]

    @property
    def alike(self) -> bool:
        """Whether all evaluations that measured it saw the same images."""
        return len({found.images for found in self.measured if found is not None}) <= 1


def conditions_of(evaluations: Sequence[Evaluation]) -> list[Condition]:
    """Return the conditions of all evaluations, in the order in which they come first."""
    each = [dict(_conditions(evaluation)) for evaluation in evaluations]
    titles = dict.fromkeys(title for measured in each for title in measured)
    return [Condition(title, [measured.get(title) for measured in each]) for title in titles]


def _conditions(evaluation: Evaluation) -> Iterator[tuple[str, Measured]]:
    for row in evaluation.of_kind("test", "domain", "clean"):
        yield row.condition, _measured(row)
    for corruption in evaluation.corruptions:
        rows = [row for row in evaluation.of_kind("corruption") if row.family == corruption.corruption]
        yield _corruption_title(rows, corruption.corruption), _mean(corruption, rows)
    for row in evaluation.of_kind("low", "high", "group"):
        yield row.condition, _measured(row)
    for row in [*evaluation.of_kind("attack"), *evaluation.smoothed]:
        yield row.condition, replace(_measured(row), images=_attacked(evaluation, row))


def _corruption_title(rows: Sequence[Row], name: str) -> str:
    levels = sorted({row.level for row in rows if row.level is not None})
    if len(levels) < 2:
        return name + (f", severity {levels[0]}" if levels else "")
    joined = levels == list(range(levels[0], levels[-1] + 1))
    said = f"{levels[0]}\u2013{levels[-1]}" if joined else ", ".join(map(str, levels))
    return f"{name}, severities {said}"


def _measured(row: Row) -> Measured:
    return Measured(row.accuracy, row.low, row.high, row.dataset)


def _attacked(evaluation: Evaluation, row: Row) -> Hashable:
    """Return what is equal where the same attack was on the same images."""
    attack = evaluation.job.get("attacks", {}).get(row.family, {}) if row.kind == "attack" else {}
    return row.dataset, tuple(sorted((key, str(value)) for key, value in attack.items()))


def _mean(corruption: CorruptionError, rows: Sequence[Row]) -> Measured:
    images = tuple(sorted((row.level or 0, row.dataset) for row in rows))
    return Measured(1 - corruption.error, 1 - corruption.high, 1 - corruption.low, images)


def same_images(evaluations: Sequence[Evaluation], summary: str) -> bool:
    """Say whether a summary is over the same images, and relative to the same baseline, wherever it is given."""
    kind = _SUMMARIZED[summary]
    seen = {
        (
            tuple(sorted((row.condition, row.dataset) for row in evaluation.of_kind(kind))),
            evaluation.job.get("baseline") if summary == "mCE" else None,
        )
        for evaluation in evaluations
        if evaluation.summary(summary) is not None
    }
    return len(seen) <= 1
