"""What an analysis would cost, measured on a few of its images before anything is written."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from passband.jobs.analysis.inputs import gather
from passband.jobs.analysis.prepare import Draft, draw_up, model_of
from passband.jobs.analysis.spec import AnalyzeJob, What
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.analysis.study import Evaluate, Looked, Material
from passband.jobs.executors.choice import choose
from passband.kernels.cpu.threads import set_num_threads

_PROBE_S = 2.0
"""Seconds that the measuring takes, of all parts together, where blocks are quicker than that."""
_SPANS = 3
"""Places of a part that are measured, where it has so many items: they may cost unlike."""


@dataclass(frozen=True)
class Estimate:
    """A dry run's answer.

    Attributes
    ----------
    parts : their names
    noun, items : what the items are called, and how many all parts have
    samples, of : images looked at, and images of the source
    passes : forward passes of `batch` images; None where the images decide how many, or there is no model
    seconds : with `workers` of `threads` threads each, start-up aside; by `probed` items, of fewer images
    model_share : of the probe's time, what the forward passes took; None where that is not measured
    """

    parts: tuple[str, ...]
    noun: str
    items: int
    samples: int
    of: int
    passes: int | None
    batch: int
    seconds: float
    probed: int
    workers: int
    threads: int
    model_share: float | None

    def told(self) -> dict[str, Any]:
        """Return it for machines, the items under the name that they have."""
        rest = {key: value for key, value in vars(self).items() if key not in ("noun", "items")}
        return {self.noun: self.items, **rest, "parts": list(self.parts)}


@dataclass
class _Measured:
    """What blocks took."""

    items: int = 0
    seconds: float = 0.0
    model_seconds: float | None = None

    def add(self, items: int, seconds: float, model_seconds: float | None) -> None:
        self.items += items
        self.seconds += seconds
        if model_seconds is not None:
            self.model_seconds = (self.model_seconds or 0.0) + model_seconds


def estimate(job: AnalyzeJob, what: What = "sensitivity") -> Estimate:
    """List the images of `job`, evaluate some blocks of few of them, and scale up what that took."""
    job = job.for_command(what).with_absolute_paths()
    drawn, compute = draw_up(job, what, lambda samples: None), job.compute
    choice = choose(compute.executor, compute.workers, compute.address, threads=compute.threads)
    set_num_threads(choice.threads)
    envelope, material = drawn.envelope, _few(job, drawn, choice.threads)
    study, kind = envelope.study(), STUDIES[what]
    images = len(material.images)
    batch = job.compute.batch_size if material.model is None else material.model.batch
    few = study.lay_out(job, Looked(images, material.shape, material.classes)).sizes
    step = -(-4 * choice.threads * batch // images) if kind.looks_at_all else drawn.layout.probe or images
    evaluate = study.open(material)
    found = {part: _time(evaluate, part, min(step, few[part]), few[part], len(few)) for part in few}
    scale = envelope.samples / images if kind.looks_at_all else 1
    whole = {part: envelope.sizes[part] / each.items * each.seconds * scale for part, each in found.items()}
    models = [each.model_seconds for each in found.values() if each.model_seconds is not None]
    passes = [-(-size * envelope.samples // batch) for size in envelope.sizes.values()]
    return Estimate(
        parts=tuple(envelope.sizes),
        noun=kind.noun,
        items=sum(envelope.sizes.values()),
        samples=envelope.samples,
        of=envelope.of,
        passes=sum(passes) if kind.looks_at_all else None,
        batch=batch,
        seconds=sum(whole.values()) / choice.workers,
        probed=sum(each.items for each in found.values()),
        workers=choice.workers,
        threads=choice.threads,
        model_share=sum(models) / choice.threads / sum(each.seconds for each in found.values()) if models else None,
    )


def _few(job: AnalyzeJob, drawn: Draft, threads: int) -> Material:
    """Return the surrogate, if any, with the first few images, and no amplitude: noise of no strength takes as long."""
    envelope = drawn.envelope
    model = model_of(job, envelope)
    count = threads * (job.compute.batch_size if model is None else model.batch)
    chosen = replace(drawn.chosen, rows=drawn.chosen.rows[:count])
    inputs = gather(drawn.images, chosen, False, job.compute.batch_size, drawn.layout.keep)
    return Material(job, envelope.key, tuple(envelope.classes), inputs, model)


def _time(evaluate: Evaluate, part: str, step: int, size: int, parts: int) -> _Measured:
    """Evaluate blocks of `step` items here and there in a part of `size` items, over and over for a while."""
    evaluate(part, 0, 1)  # compiles, and starts threads
    found = _Measured()
    while not found.items or found.seconds < _PROBE_S / parts:
        for start in _starts(step, size):
            began = time.perf_counter()
            columns = evaluate(part, start, start + step)
            found.add(step, time.perf_counter() - began, columns.get("model_seconds"))
    return found


def _starts(step: int, size: int) -> Iterator[int]:
    places = min(_SPANS, size // step)
    yield from ((size - step) * place // max(1, places - 1) for place in range(places))
