"""Analyze from a job file to results; the same call resumes it."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from passband.jobs.analysis.amplitude import MeanAmplitude
from passband.jobs.analysis.display import Display, SilentDisplay
from passband.jobs.analysis.envelope import Envelope, write_envelope
from passband.jobs.analysis.finish import finish, write
from passband.jobs.analysis.ledger import Ledger, read_ledger
from passband.jobs.analysis.mapping import found_maps
from passband.jobs.analysis.prepare import Draft, prepare, with_inputs
from passband.jobs.analysis.results import Analysis, read_results, summarize
from passband.jobs.analysis.spec import AnalyzeJob, What
from passband.jobs.analysis.worker import BlockTask, close_workshop, open_workshop
from passband.jobs.dataset.output import refuse_nested_output, swept
from passband.jobs.executors.base import Retries
from passband.jobs.executors.choice import choose, open_executor
from passband.jobs.executors.drive import drive
from passband.pipeline.layout import MAPS
from passband.pipeline.lock import locked
from passband.pipeline.networks.checkpoint import without_hash
from passband.pipeline.store import Store, open_store


def analyze(
    job: AnalyzeJob,
    what: What = "sensitivity",
    *,
    display: Display | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Analysis:
    """Make, or go on making, an analysis, and write what it finds below ``output.uri``.

    Parameters
    ----------
    what : a key of `STUDIES`, or "amplitude"
        The latter is the mean amplitude of the images times ``scale``, in one pass.
    checkpoint : callable
        Called after every block; what it raises ends the run cleanly.

    Raises
    ------
    PassbandError
        Everything a user can mend. Finished blocks are always kept.
    """
    display, job = display or SilentDisplay(), job.for_command(what).with_absolute_paths()
    refuse_nested_output(job.images())
    store = open_store(job.output.uri)
    with locked(store), swept(store):
        envelope, drawn = prepare(store, job, what, display.planning)
        if (found := read_results(store)) is not None and found.identity == envelope.identity:
            return found
        if what == "amplitude":
            return _amplitude(store, envelope, drawn, job, display)
        if (
            job.surrogate is not None
            and envelope.surrogate is not None
            and (note := without_hash(job.surrogate.checkpoint, job.surrogate.sha256))
        ):
            display.note(note)
        display.step("reading images")
        envelope = with_inputs(store, envelope, drawn, job)
        ledger = read_ledger(store, envelope, job.compute.failure_budget)
        display.started(ledger)
        try:
            _evaluate(store, ledger, job, display, checkpoint)
        finally:
            close_workshop()
        return finish(store, ledger)


def _amplitude(store: Store, envelope: Envelope, drawn: Draft, job: AnalyzeJob, display: Display) -> Analysis:
    write_envelope(store, envelope)
    display.step("reading images")
    began, amplitude = time.perf_counter(), MeanAmplitude(*envelope.shape[1:])
    for _, pixels in drawn.images.batches(drawn.chosen.rows, job.compute.batch_size):
        amplitude.add(pixels)
    values = np.fft.fftshift(job.scale * amplitude.value())
    seconds = time.perf_counter() - began
    found = found_maps({"amplitude": values}, [summarize("amplitude", values, 0.0)])
    return write(store, envelope, found, MAPS, seconds)


def _evaluate(store: Store, ledger: Ledger, job: AnalyzeJob, display: Display, checkpoint: Callable[[], None]) -> None:
    pending, identity = list(ledger.pending()), ledger.envelope.identity
    if not pending:
        return
    compute = job.compute
    choice = choose(compute.executor, compute.workers, compute.address, threads=compute.threads)
    ranges = dict(ledger.envelope.places())
    tasks = (BlockTask(store.uri, identity, *place, *ranges[place], choice.threads) for place in pending)
    setup, retries = partial(open_workshop, store.uri, identity), Retries(max_attempts=compute.max_attempts)
    opening = open_executor(choice, retries, compute.task_timeout_s, len(pending), setup)
    drive(opening, tasks, ledger, lambda outcome: display.event(ledger, outcome.error), checkpoint)
    ledger.raise_failed()
