"""What an analysis would cost, measured on a few of its images before anything is written."""

import time
from dataclasses import dataclass

import numpy as np

from jobs.analysis.counting import Subject, count_wrong
from jobs.analysis.frequencies import distinct_frequencies
from jobs.analysis.prepare import draw_up, surrogate_of
from jobs.analysis.spec import AnalyzeJob
from jobs.executors.choice import choose
from kernels.cpu.pixels import to_float
from kernels.cpu.threads import set_num_threads

_PROBE_S = 2.0


@dataclass(frozen=True)
class Estimate:
    """A dry run's answer.

    Attributes
    ----------
    frequencies : distinct ones, of all maps
    samples, of : images looked at, and images of the source
    passes : forward passes of `batch` images
    seconds : with `workers` of `threads` threads each, start-up aside; by `probed` passes of the very model
    model_share : of the probe's time, what the forward passes took
    """

    frequencies: int
    samples: int
    of: int
    passes: int
    batch: int
    seconds: float
    probed: int
    workers: int
    threads: int
    model_share: float


def estimate(job: AnalyzeJob) -> Estimate:
    """List the images of `job`, show some of them to its surrogate, and scale up what it took."""
    job = job.for_command("sensitivity").with_absolute_paths()
    drawn, choice = draw_up(job, "sensitivity", lambda samples: None), choose(*_executor(job))
    threads = job.compute.threads or choice.threads
    set_num_threads(threads)
    envelope, (_, height, width) = drawn.envelope, drawn.envelope.shape
    assert envelope.surrogate is not None
    model = surrogate_of(job, envelope.classes, envelope.shape, envelope.surrogate.sha256)
    rows = drawn.chosen.rows[: model.batch * 2 * threads]
    pixels = np.concatenate([batch for _, batch in drawn.images.batches(rows, job.compute.batch_size)])
    images, labels, indices = to_float(pixels), drawn.images.labels[rows], drawn.images.indices[rows]
    subject = Subject(images, labels, indices, drawn.images.key, model, len(envelope.classes))
    norms = np.full(len(distinct_frequencies(height, width)), job.norm)
    step = min(len(norms), -(-4 * threads * model.batch // len(rows)))
    count_wrong(subject, "original", norms, 0, 1)  # compiles, and starts threads
    began, spent, share, passes = time.perf_counter(), 0.0, 0.0, 0
    while passes == 0 or spent < _PROBE_S:
        counts = count_wrong(subject, "original", norms, 0, step)
        share += counts.model_seconds / threads
        passes, spent = passes + counts.passes, time.perf_counter() - began
    frequencies = len(job.maps) * len(norms)
    needed = len(job.maps) * -(-len(norms) * len(drawn.chosen.rows) // model.batch)
    return Estimate(
        frequencies=frequencies,
        samples=len(drawn.chosen.rows),
        of=len(drawn.images.labels),
        passes=needed,
        batch=model.batch,
        seconds=spent / passes * needed / choice.workers,
        probed=passes,
        workers=choice.workers,
        threads=threads,
        model_share=share / spent,
    )


def _executor(job: AnalyzeJob) -> tuple[str, int | None, str | None]:
    return job.compute.executor, job.compute.workers, job.compute.address
