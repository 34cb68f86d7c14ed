"""From a job to the conditions that a network is looked at under, and the datasets that hold them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from passband.jobs.evaluation.results import Kind
from passband.jobs.evaluation.spec import CorruptionGrid, EvaluateJob, FrequencySplit, Smoothing, generation_job
from passband.jobs.training.spec import DatasetReference
from passband.pipeline.corruptions import SEVERITIES

TEST = "test"


@dataclass(frozen=True)
class Condition:
    """One view of one dataset, and what it stands for.

    Attributes
    ----------
    name : unique among the conditions of a job
    kind : ``test``, ``domain``, ``clean`` (what is corrupted), ``corruption``, ``low``, ``high`` or ``attack``
    family : name of the corruption or attack, or the same as `name`
    level : severity of a corruption, radius of a filter in frequency bins; else None
    smoothing : rho of the kernels of the first convolution; None is the network itself
    """

    name: str
    kind: Kind
    view: str
    family: str
    level: int | None = None
    smoothing: float | None = None


@dataclass(frozen=True)
class Part:
    """A dataset with the conditions that are read from it."""

    reference: DatasetReference
    conditions: tuple[Condition, ...]

    @property
    def title(self) -> str:
        """What the dataset is looked at for, in few words."""
        last = [condition for condition in self.conditions if condition.kind != "attack" and not condition.smoothing][
            -1
        ]
        return {"corruption": last.family, "low": "frequency", "high": "frequency"}.get(last.kind, last.name)

    @property
    def views(self) -> list[str]:
        """Names of the views that are read."""
        return list(dict.fromkeys(condition.view for condition in self.conditions))


def parts_of(job: EvaluateJob, num_classes: int = 10) -> list[Part]:
    """Return the datasets of `job` in the order in which they are evaluated.

    Parameters
    ----------
    num_classes : that the network tells apart; published corruptions are those of CIFAR-100 where it is 100
    """
    return [_with_smoothed(part, job.smoothing) for part in _plain_parts(job, num_classes)]


def _plain_parts(job: EvaluateJob, num_classes: int) -> list[Part]:
    attacks = (Condition(f"attack {name}", "attack", job.test.view, name) for name in job.attacks)
    parts = [Part(job.test.reference(), (Condition(TEST, "test", job.test.view, TEST), *attacks))]
    for name, domain in job.domains.items():
        condition = Condition(f"domain {name}", "domain", domain.view, name)
        parts.append(Part(domain.reference(), (condition,)))
    if job.corruptions is not None:
        parts.extend(_corruption_parts(job, job.corruptions, num_classes))
    if job.frequency is not None:
        parts.append(_frequency_part(job, job.frequency))
    return parts


def _with_smoothed(part: Part, smoothing: Smoothing | None) -> Part:
    """Return `part` with every condition once more for each rho."""
    if smoothing is None:
        return part
    over = " over channels" if smoothing.axes == "channels" else ""
    further = [
        replace(condition, name=f"{condition.name}, rho {rho:g}{over}", smoothing=rho)
        for rho in smoothing.strengths()
        for condition in part.conditions
    ]
    return replace(part, conditions=(*part.conditions, *further))


def _corruption_parts(job: EvaluateJob, grid: CorruptionGrid, num_classes: int) -> Iterator[Part]:
    if grid.published is not None:
        yield from _published_parts(grid, grid.published, "cifar100c" if num_classes == 100 else "cifar10c")
        return
    source, image = job.images(grid)
    for number, corruption in enumerate(grid.types):
        # All severities are made, whichever are asked for: a view's random numbers depend on its place.
        views = [_corrupted(corruption, severity, grid.table) for severity in range(1, SEVERITIES + 1)]
        asked = [
            Condition(f"{corruption}-{severity}", "corruption", f"{corruption}-{severity}", corruption, severity)
            for severity in sorted(grid.severities)
        ]
        clean = [Condition("clean", "clean", "clean", "clean", 0)] if number == 0 else []
        made = generation_job(corruption, source, image, views, grid.seed)
        yield Part(DatasetReference(path=None, job=made), (*clean, *asked))


def _published_parts(grid: CorruptionGrid, folder: str, kind: str) -> Iterator[Part]:
    for corruption in grid.types:
        for severity in sorted(grid.severities):
            source = {"kind": kind, "path": folder, "corruption": corruption, "severity": severity}
            made = generation_job(f"{corruption}-{severity}", source, {"size": 32}, [])
            condition = Condition(f"{corruption}-{severity}", "corruption", "clean", corruption, severity)
            yield Part(DatasetReference(path=None, job=made), (condition,))


def _corrupted(corruption: str, severity: int, table: str | None) -> dict[str, Any]:
    options = {"types": [corruption], "severity": severity} | ({} if table is None else {"table": table})
    return {"corrupt": options, "name": f"{corruption}-{severity}"}


def _frequency_part(job: EvaluateJob, split: FrequencySplit) -> Part:
    source, image = job.images(split)
    kinds: tuple[Kind, ...] = ("low", "high")
    filters = [(keep, radius) for keep in kinds for radius in sorted(split.radii)]
    views = [
        {"radial": {"high" if keep == "low" else "low": radius}, "name": f"{keep}-{radius}"} for keep, radius in filters
    ]
    conditions = (Condition(f"{keep}-{radius}", keep, f"{keep}-{radius}", keep, radius) for keep, radius in filters)
    return Part(DatasetReference(path=None, job=generation_job("frequency", source, image, views)), tuple(conditions))
