"""Run a training job from its file to a trained network; the same call resumes it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from passband.jobs.common.jobfile import read_yaml
from passband.jobs.common.overwrite import Contents, claimed
from passband.jobs.training.collective import rank, said_by_any
from passband.jobs.training.display import Display, SilentDisplay
from passband.jobs.training.first_network import with_stem
from passband.jobs.training.measuring import in_results, measure
from passband.jobs.training.output import (
    OtherOutputError,
    claim,
    finished,
    named,
    output_folder,
    refuse_strange,
    write_job,
    write_results,
)
from passband.jobs.training.processes import choose_device, processes
from passband.jobs.training.session import Run
from passband.jobs.training.setup import check_evaluations, open_training_stream, set_up
from passband.jobs.training.spec import TrainJob
from passband.pipeline.hashed import delete_hashed
from passband.pipeline.layout import JOB, LAST_CHECKPOINT, MODEL
from passband.pipeline.loading import Stream
from passband.pipeline.lock import locked
from passband.pipeline.networks.checkpoint import read_checkpoint, without_hash
from passband.pipeline.networks.network import load_network
from passband.pipeline.networks.pretrained import read_weights
from passband.pipeline.store import LocalStore


def train(
    job: TrainJob,
    *,
    display: Display | None = None,
    stopped: Callable[[], bool] = lambda: False,
    overwrite: bool | Contents = False,
) -> dict[str, Any]:
    """Train, or go on training, the network of `job`, and return what ``results.json`` says.

    Under torchrun every process calls it; the first one writes, and nothing before every check is through.

    Parameters
    ----------
    stopped : callable
        Asked after every step; when it says yes, a checkpoint is written and SystemExit raised.
        overwrite : bool or Contents
        Delete another output of ours that the folder holds, or what of it was agreed to be deleted; this very
        training is resumed in any case.

    Raises
    ------
    PassbandError
        Everything a user can mend.
    """
    job, display = job.with_absolute_paths(), display or SilentDisplay()
    device, store = choose_device(job.compute.device), output_folder(job)
    if job.compute.threads is not None:
        torch.set_num_threads(job.compute.threads)
    with processes(device), open_training_stream(job, device) as stream:
        job, held = _begun(store, job, stream, overwrite)
        if (done := _done(store, device, held=held)) is not None:
            with _locked_by_first(store):
                return _finished(store, job, done, stream, device)
        check_evaluations(job, stream)
        training = set_up(job, stream, device)
        _tell_unhashed(job, display)
        for note in training.objective.notes(stream):
            display.note(note)
        said_by_any([False], device)  # nobody reads what the first one is about to delete
        with _locked_by_first(store):
            if rank() == 0:
                claim(store, job, stream.manifest, overwrite=overwrite)
            if (done := _done(store, device)) is not None:  # another call has finished it meanwhile
                return _finished(store, job, done, stream, device)
            return Run(training, store, display, stopped).finish()


def check_first(job: TrainJob, *, overwrite: bool = False) -> None:
    """Raise PassbandError for what is wrong whatever the datasets are, which may take long to make."""
    job = job.with_absolute_paths()
    choose_device(job.compute.device)
    store = output_folder(job)
    if not overwrite:
        refuse_strange(store)
    if job.network.file is not None:
        read_checkpoint(job.network.file, job.network.sha256)
    if job.network.weights is not None:
        read_weights(job.network.kind, job.network.weights)


def _begun(store: LocalStore, job: TrainJob, stream: Stream, overwrite: bool | Contents) -> tuple[TrainJob, bool]:
    """Return the job as it is trained, and whether the folder holds it already."""
    try:
        named_job, _, held = named(job, stream.manifest, store)
    except OtherOutputError:
        if not overwrite:
            raise
        claimed(store)  # refuses what is not ours to delete
        return with_stem(job, stream.manifest.shape), False
    return named_job, held


def _locked_by_first(store: LocalStore) -> AbstractContextManager[None]:
    return locked(store) if rank() == 0 else nullcontext()


def _done(store: LocalStore, device: torch.device, *, held: bool = True) -> dict[str, Any] | None:
    """Return what this training says if the first process finds it finished; all processes ask, and wait for it."""
    done = finished(store) if held and rank() == 0 else None
    (over,) = said_by_any([done is not None], device)
    return finished(store) if over and done is None else done


def _tell_unhashed(job: TrainJob, display: Display) -> None:
    network = job.network
    if network.file is not None and (note := without_hash(network.file, network.sha256)):
        display.note(note)


def _finished(
    store: LocalStore, job: TrainJob, done: dict[str, Any], stream: Stream, device: torch.device
) -> dict[str, Any]:
    """Return the results of a finished training; the first process, which holds the lock, tidies its folder."""
    if rank() != 0:
        return done
    store.sweep()
    delete_hashed(store, LAST_CHECKPOINT)  # a call that was killed between its last two writes
    return _evaluated_anew(store, job, done, stream, device)


def _evaluated_anew(
    store: LocalStore, job: TrainJob, done: dict[str, Any], stream: Stream, device: torch.device
) -> dict[str, Any]:
    """Return the results of a finished training with the accuracies that `job` asks for, which may be others by now."""
    asked = job.model_dump()
    envelope = read_yaml(store.path(JOB))
    before = envelope.get("job") if isinstance(envelope, dict) else None
    if isinstance(before, dict) and all(before.get(key) == asked.get(key) for key in ("evaluate", "watch")):
        return done
    check_evaluations(job, stream)
    network = load_network(store.path(MODEL)).to(device)
    kept = {key: value for key, value in done.items() if key != "losses"}
    results = kept | in_results(measure(network, job, device))
    write_results(store, results)
    write_job(store, {"identity": done["identity"], "job": job.model_dump()})
    return results
