"""A picture of what a job makes: a few samples, by the steps that make the stored views."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.dataset.blueprint import draft
from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.environment import choose_executor, current_environment
from passband.jobs.dataset.plan import Plan, PlanRow
from passband.jobs.dataset.reading import Reader
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.dataset.views import Augmenter
from passband.jobs.drawing.sheet import draw_sheet
from passband.jobs.init.proposal import InitError
from passband.kernels.cpu.threads import set_num_threads
from passband.pipeline.formats.sample import Sample
from passband.pipeline.sources import Entry

ROWS = 10
_TRIED = 100  # images of which so many are chosen as can be read


def preview(job: GenerateJob, plan: Plan) -> bytes:
    """Return a contact sheet as PNG: up to ten samples spread over the classes, their views side by side.

    Parameters
    ----------
    plan : of `job`, made with ``unread``; `job` has one source

    Raises
    ------
    InitError
        If none of the first images can be read.
    """
    names = [name for name, _ in job.view_recipes()]
    sheet = draw_sheet(preview_samples(job, plan), names, classes=plan.classes)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def preview_samples(job: GenerateJob, plan: Plan) -> list[Sample]:
    """Return the samples of `preview`, by class: their views are the very pixels that a run stores."""
    set_num_threads(choose_executor(job).threads)
    blueprint = draft(job, plan, current_environment(job))
    reader, augmenter, clock = Reader(blueprint), Augmenter(blueprint, {}), Clock()
    samples: list[Sample] = []
    reasons: list[str] = []
    candidates = _candidates(plan)
    while len(samples) < ROWS and (some := list(islice(candidates, ROWS))):
        batch = reader.read(_hashed(job, some), clock)
        reasons += [f"{bad.key} ({bad.reason})" for bad in batch.bad]
        batch = batch.part(0, ROWS - len(samples))
        if batch.rows:
            stored = augmenter.apply(batch, clock).stored
            samples += [_sample(row, [view[at] for view in stored]) for at, row in enumerate(batch.rows)]
    if not samples:
        raise InitError(f"none of the {len(reasons):,} images that were tried can be read: {reasons[0]}")
    return sorted(samples, key=lambda sample: (sample.label, sample.index))


def _sample(row: PlanRow, views: list[NDArray[Any]]) -> Sample:
    return Sample(row.index, row.key, row.label, group=0, domain=-1, severity=-1, views=views)


def _candidates(plan: Plan) -> Iterator[PlanRow]:
    """Yield samples in turn of every class, each class in the order of the plan."""
    labels: NDArray[np.int64] = plan.table["label"].to_numpy()
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    place = np.empty(len(labels), np.int64)  # of a sample within its class
    place[by_class] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    for row in islice(np.lexsort((np.arange(len(labels)), place)), _TRIED):
        yield PlanRow(**plan.table.slice(int(row), 1).to_pylist()[0])


def _hashed(job: GenerateJob, rows: list[PlanRow]) -> list[PlanRow]:
    """Return rows of a plan that was made unread with the hashes that they lack."""
    source = job.source[0].open()
    contents = source.read([Entry(row.key, row.label, row.offset) for row in rows])
    return [replace(row, sha256=hashlib.sha256(content).digest()) for row, content in zip(rows, contents, strict=True)]
