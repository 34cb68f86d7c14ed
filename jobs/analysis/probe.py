"""What an analysis would cost, measured on a few of its images before anything is written."""

from dataclasses import dataclass

import numpy as np

from passband.jobs.analysis.counting import Subject, count_wrong
from passband.jobs.analysis.prepare import Draft, draw_up, surrogate_of
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.executors.choice import choose
from passband.kernels.cpu.pixels import to_float
from passband.kernels.cpu.threads import set_num_threads

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
    drawn = draw_up(job, "sensitivity", lambda samples: None)
    compute = job.compute
    choice = choose(compute.executor, compute.workers, compute.address, threads=compute.threads)
    threads, envelope = choice.threads, drawn.envelope
    set_num_threads(threads)
    subject = _subject(job, drawn, 2 * threads)
    seconds, model_seconds, probed = _time_passes(subject, threads)
    batch, maps = subject.surrogate.batch, len(job.maps)
    needed = maps * -(-envelope.frequencies * envelope.samples // batch)
    return Estimate(
        frequencies=maps * envelope.frequencies,
        samples=envelope.samples,
        of=envelope.of,
        passes=needed,
        batch=batch,
        seconds=seconds / probed * needed / choice.workers,
        probed=probed,
        workers=choice.workers,
        threads=threads,
        model_share=model_seconds / threads / seconds,
    )


def _subject(job: AnalyzeJob, drawn: Draft, batches: int) -> Subject:
    """Return the surrogate with the first few images."""
    envelope, images = drawn.envelope, drawn.images
    assert envelope.surrogate is not None
    model = surrogate_of(job, envelope.classes, envelope.shape, envelope.surrogate.sha256)
    rows = drawn.chosen.rows[: batches * model.batch]
    pixels = np.concatenate([batch for _, batch in images.batches(rows, job.compute.batch_size)])
    labels, indices = images.labels[rows], images.indices[rows]
    return Subject(to_float(pixels), labels, indices, envelope.key, model, len(envelope.classes))


def _time_passes(subject: Subject, threads: int) -> tuple[float, float, int]:
    """Return the seconds of some forward passes with all that belongs to them, those within the model, and how many."""
    norms = np.ones(len(subject.frequencies))
    step = min(len(norms), -(-4 * threads * subject.surrogate.batch // len(subject.images)))
    count_wrong(subject, "original", norms, 0, 1)  # compiles, and starts threads
    spent, model_spent, passes = 0.0, 0.0, 0
    while passes == 0 or spent < _PROBE_S:
        counts = count_wrong(subject, "original", norms, 0, step)
        spent, model_spent, passes = spent + counts.seconds, model_spent + counts.model_seconds, passes + counts.passes
    return spent, model_spent, passes
