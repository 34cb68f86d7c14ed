"""Evaluate a network from a job file to results; the same call goes on with what was predicted before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from passband.jobs.common.jobfile import JobError
from passband.jobs.common.missing_datasets import make_missing
from passband.jobs.evaluation.conditions import Part, parts_of
from passband.jobs.evaluation.display import Display, SilentDisplay
from passband.jobs.evaluation.looking import Looker
from passband.jobs.evaluation.report import report_html
from passband.jobs.evaluation.results import Checkpoint, EvaluatedOn, Evaluation, read_evaluation
from passband.jobs.evaluation.spec import EvaluateJob
from passband.jobs.evaluation.stored import StoredPredictions
from passband.jobs.evaluation.summary import Outcome, Summarizer
from passband.jobs.training.processes import threads
from passband.pipeline.formats import place
from passband.pipeline.layout import JOB, REPORT, RESULTS
from passband.pipeline.loading.views import chosen_views
from passband.pipeline.lock import locked
from passband.pipeline.manifest import read_manifest
from passband.pipeline.networks.checkpoint import checkpoint_file, read_checkpoint, without_hash
from passband.pipeline.networks.network import NetworkSpec, read_network
from passband.pipeline.records import Manifest
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore, open_store


@dataclass(frozen=True)
class Opened:
    """A part whose dataset is there and fits the network."""

    part: Part
    path: str
    manifest: Manifest


def evaluate(
    job: EvaluateJob, *, display: Display | None = None, checkpoint: Callable[[], None] = lambda: None
) -> Evaluation:
    """Return what `job` asks for, and write it with its report below ``output.uri``.

    Parameters
    ----------
    checkpoint : callable
        Called after every dataset; what it raises ends the evaluation, and its predictions stay.

    Raises
    ------
    PassbandError
        Everything a user can mend: a dataset that cannot be made or does not fit the network, a view or a group that
        is not there, a baseline of other images.
    """
    display, job = display or SilentDisplay(), job.with_absolute_paths()
    store = _output(job.output.uri)
    baseline = None if job.baseline is None else read_evaluation(job.baseline)
    weights, loaded = checkpoint_file(job.checkpoint), read_checkpoint(job.checkpoint, job.sha256)
    network = read_network(loaded.content, str(weights), hashed=loaded.recorded)
    if note := without_hash(job.checkpoint, job.sha256):
        display.note(note)
    looker = Looker(network, job, StoredPredictions(store, loaded.sha256, job.adapt and job.adapt.model_dump()))
    parts = parts_of(job, len(network.spec.classes))
    paths = make_missing([part.reference for part in parts], job.datasets, progress=display.dataset)
    opened = [_opened(part, path, network.spec) for part, path in zip(parts, paths, strict=True)]
    used = Checkpoint(path=str(weights), sha256=loaded.sha256, network=network.spec.kind)
    with locked(store), threads(job.compute.threads):
        outcomes = _predict_all(opened, looker, display, checkpoint)
        found = _evaluation(job, used, opened, Summarizer(job, outcomes, baseline))
        store.put(REPORT, report_html(found).encode())
        put_sealed(store, RESULTS, found.model_dump())
    return found


def _output(uri: str) -> LocalStore:
    """Return the output folder; raise JobError if it is another kind of output, or no local folder."""
    store = open_store(uri)
    if not isinstance(store, LocalStore):
        raise JobError(f"output.uri {uri}: an evaluation is written to a local folder")
    if store.exists(JOB):
        raise JobError(f"output.uri {store.uri}: holds a dataset or a training; choose another folder")
    if store.exists(RESULTS):
        read_evaluation(store.root)  # refuses to replace what is not an evaluation's
    return store


def _opened(part: Part, path: str, network: NetworkSpec) -> Opened:
    manifest = read_manifest(open_store(place(path).folder))
    chosen_views(manifest, part.views, path)
    if manifest.classes != network.classes:
        raise JobError(
            f"{path}: has the classes {_listed(manifest.classes)}, the network tells {_listed(network.classes)} apart"
        )
    if manifest.shape != network.shape:
        raise JobError(f"{path}: has images of shape {manifest.shape}, the network takes {network.shape}")
    return Opened(part, path, manifest)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:10])}{f' and {len(names) - 10} more' if len(names) > 10 else ''}"


def _predict_all(
    opened: Sequence[Opened], looker: Looker, display: Display, checkpoint: Callable[[], None]
) -> list[Outcome]:
    """Return the outcomes under all conditions."""
    outcomes: list[Outcome] = []
    for number, there in enumerate(opened):
        display.predicting(there.part.title, number, len(opened))
        identity, conditions = there.manifest.identity, there.part.conditions
        tell = partial(display.predicting, done=number, total=len(opened))
        found = looker.look(there.path, identity, conditions, tell)
        outcomes += [Outcome(*pair, identity) for pair in zip(conditions, found, strict=True)]
        checkpoint()
    return outcomes


def _evaluation(job: EvaluateJob, used: Checkpoint, opened: Sequence[Opened], summarizer: Summarizer) -> Evaluation:
    datasets = {
        there.manifest.identity: EvaluatedOn(
            name=there.manifest.name,
            path=there.path,
            identity=there.manifest.identity,
            samples=there.manifest.samples,
        )
        for there in opened
    }
    return Evaluation(
        name=job.name,
        checkpoint=used,
        job=job.model_dump(),
        datasets=list(datasets.values()),
        rows=summarizer.rows(),
        corruptions=summarizer.corruptions(),
        summaries=summarizer.summaries(),
    )
