"""From predictions to rows and summaries (METHODS 7.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from passband.jobs.common.jobfile import JobError
from passband.jobs.evaluation.bootstrap import Estimate, Term, estimate_lowest, estimate_sum, generator
from passband.jobs.evaluation.conditions import Condition
from passband.jobs.evaluation.results import CorruptionError, Evaluation, Row, Summary
from passband.jobs.evaluation.spec import EvaluateJob
from passband.jobs.training.predict import Predictions


@dataclass(frozen=True)
class Outcome:
    """What came out under one condition.

    Attributes
    ----------
    dataset : identity
    """

    condition: Condition
    predictions: Predictions
    dataset: str

    @property
    def population(self) -> str:
        """Name of the samples: all corruptions show the same ones in the same order."""
        return "corruptions" if self.condition.kind == "corruption" else self.condition.name


class Summarizer:
    """Rows and summaries of one evaluation, with intervals by its job's seed.

    Parameters
    ----------
    baseline : Evaluation, optional
        For the mCE.
    """

    def __init__(self, job: EvaluateJob, outcomes: Sequence[Outcome], baseline: Evaluation | None) -> None:
        self._job, self._outcomes, self._baseline = job, outcomes, baseline
        self._corrupted: dict[str, list[Outcome]] = {}
        for outcome in self._of_kind("corruption"):
            self._corrupted.setdefault(outcome.condition.family, []).append(outcome)

    def _of_kind(self, kind: str) -> list[Outcome]:
        """Return outcomes of the network itself."""
        plain = (outcome for outcome in self._outcomes if outcome.condition.smoothing is None)
        return [outcome for outcome in plain if outcome.condition.kind == kind]

    def rows(self) -> list[Row]:
        """Return a row for every condition, then one for every group."""
        return [*map(self._row, self._outcomes), *self._group_rows()]

    def _row(self, outcome: Outcome) -> Row:
        correct = outcome.predictions.correct
        if not len(correct):
            raise JobError(f"{outcome.condition.name}: the dataset has no samples")
        return self._measured(outcome.condition, correct, outcome.dataset)

    def _measured(self, condition: Condition, correct: NDArray[np.bool_], dataset: str) -> Row:
        found = self._sum([Term(1.0, correct, condition.name)], condition.name)
        return Row(
            condition=condition.name,
            kind=condition.kind,
            family=condition.family,
            level=condition.level,
            accuracy=found.value,
            low=found.low,
            high=found.high,
            samples=len(correct),
            dataset=dataset,
            smoothing=condition.smoothing,
        )

    def _sum(self, terms: Sequence[Term], name: str) -> Estimate:
        return estimate_sum(terms, self._job.bootstrap, generator(self._job.seed, name))

    def _groups(self) -> Mapping[int, NDArray[np.bool_]]:
        """Return group -> which of its samples in `test` are classified correctly."""
        if self._job.groups is False:
            return {}
        test = self._of_kind("test")[0].predictions
        present = np.unique(test.groups).tolist()
        wanted = present if self._job.groups is True else self._job.groups
        empty = [group for group in wanted if group not in present]
        if empty:
            raise JobError(f"groups: group {empty[0]} has no sample in test; groups there: {_listed(present)}")
        return {group: test.correct[test.groups == group] for group in wanted}

    def _group_rows(self) -> list[Row]:
        rows = []
        for group, correct in self._groups().items():
            test = self._of_kind("test")[0]
            condition = Condition(f"group {group}", "group", test.condition.view, "group", group)
            rows.append(self._measured(condition, correct, test.dataset))
        return rows

    def corruptions(self) -> list[CorruptionError]:
        """Return the error of each corruption."""
        found = []
        for name, outcomes in self._corrupted.items():
            error = self._sum(_error_terms(outcomes, 1 / len(outcomes)), f"error {name}")
            ce = 100 * error.value * len(outcomes) / self._baseline_error(outcomes) if self._baseline else None
            found.append(CorruptionError(corruption=name, error=error.value, low=error.low, high=error.high, ce=ce))
        return found

    def _baseline_error(self, outcomes: Sequence[Outcome]) -> float:
        """Return the baseline's sum of errors over the severities of one corruption."""
        assert self._baseline is not None
        there = {row.condition: row for row in self._baseline.of_kind("corruption")}
        total = 0.0
        for outcome in outcomes:
            row = there.get(outcome.condition.name)
            if row is None:
                raise JobError(f"baseline: {self._job.baseline} has no accuracy on {outcome.condition.name}")
            if row.dataset != outcome.dataset:
                raise JobError(
                    f"baseline: {self._job.baseline} saw other images of {outcome.condition.name}: dataset "
                    f"{row.dataset[:16]} there, {outcome.dataset[:16]} here"
                )
            total += 1 - row.accuracy
        if not total > 0:
            raise JobError(f"baseline: no error on {outcomes[0].condition.family}, so none can be relative to it")
        return total

    def summaries(self) -> list[Summary]:
        """Return the numbers over several conditions that this evaluation has."""
        found = []
        if domains := self._of_kind("domain"):
            terms = [Term(1 / len(domains), d.predictions.correct, d.population) for d in domains]
            found.append(_summary("mean_domain_accuracy", self._sum(terms, "mean_domain_accuracy")))
        if self._corrupted:
            found.extend(self._over_corruptions())
        if groups := self._groups():
            rng = generator(self._job.seed, "worst_group")
            lowest = estimate_lowest(list(groups.values()), self._job.bootstrap, rng)
            worst = min(groups, key=lambda group: groups[group].mean())
            found.append(_summary("worst_group", lowest, of=f"group {worst}"))
        return found

    def _over_corruptions(self) -> list[Summary]:
        every = [outcome for outcomes in self._corrupted.values() for outcome in outcomes]
        error = self._sum(_error_terms(every, 1 / len(every)), "mean_error")
        accuracy = Estimate(1 - error.value, 1 - error.high, 1 - error.low)
        found = [_summary("mean_corruption_accuracy", accuracy), _summary("mean_error", error)]
        if self._baseline is not None:
            terms = [
                term
                for outcomes in self._corrupted.values()
                for term in _error_terms(outcomes, 100 / len(self._corrupted) / self._baseline_error(outcomes))
            ]
            found.append(_summary("mCE", self._sum(terms, "mCE")))
        return found


def _error_terms(outcomes: Sequence[Outcome], weight: float) -> list[Term]:
    return [Term(weight, ~outcome.predictions.correct, outcome.population) for outcome in outcomes]


def _summary(name: str, found: Estimate, of: str | None = None) -> Summary:
    return Summary(name=name, value=found.value, low=found.low, high=found.high, of=of)  # type: ignore[arg-type]


def _listed(groups: Sequence[int]) -> str:
    return ", ".join(map(str, groups))
