"""Run a generation job from its file to a finished dataset; the same call resumes it."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, Protocol

from filelock import FileLock, Timeout

from jobs.executors.base import Retries
from jobs.executors.choice import choose, open_executor
from jobs.generation.blueprint import (
    Blueprint,
    current_environment,
    draw_up,
    identity_form,
    open_sources,
    read_blueprint,
    write_blueprint,
    write_job,
)
from jobs.generation.export import export_beton
from jobs.generation.ledger import Ledger, read_ledger
from jobs.generation.worker import ShardTask, WriteFailure, refuse_other_environment
from jobs.report.card import write_card
from jobs.spec import GenerateJob
from pipeline.errors import IntegrityError, OutputError, PassbandError, output_error
from pipeline.manifest import (
    JOB,
    MANIFEST,
    PLAN,
    BetonFile,
    Manifest,
    ManifestShard,
    merge_counts,
    read_manifest,
    readable_json,
    record_name,
    stored_file,
)
from pipeline.store import LocalStore, Store, open_store

LOCK = ".lock"
_LOCK_TIMEOUT_S = 0.5  # ``status`` holds it for a moment when it looks
Faults = Mapping[int, tuple[str, ...]]


class Display(Protocol):
    """What a person or a machine sees of a run."""

    def planning(self, samples: int) -> None:
        """Tell that so many more samples were listed and hashed."""

    def started(self, ledger: Ledger) -> None:
        """Tell what is planned, done already, and left."""

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Tell of an outcome; `message` where something went wrong."""

    def step(self, name: str) -> None:
        """Tell that a step after the last shard begins."""


class SilentDisplay:
    """Shows nothing; the default of the Python call."""

    def planning(self, samples: int) -> None:
        """Show nothing."""

    def started(self, ledger: Ledger) -> None:
        """Show nothing."""

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Show nothing."""

    def step(self, name: str) -> None:
        """Show nothing."""


def generate(job: GenerateJob, *, display: Display | None = None, faults: Faults | None = None) -> Manifest:
    """Make, or go on making, the dataset of `job`.

    Parameters
    ----------
    faults : shard -> faults by attempt
        For tests; see `ShardTask`.

    Raises
    ------
    PassbandError
        Everything a user can mend. Finished shards are always kept.
    """
    display, job = display or SilentDisplay(), job.with_absolute_paths()
    refuse_nested_output(job)
    store = open_store(job.output.uri)
    with locked(store), swept(store):
        blueprint = _prepare(store, job, display)
        ledger = read_ledger(store, blueprint)
        display.started(ledger)
        _make_shards(store, ledger, display, faults or {})
        return _finish(store, ledger, write_manifest(store, ledger), display)


def refuse_nested_output(job: GenerateJob) -> None:
    """Raise if the output lies inside a source or a source inside the output."""
    store = open_store(job.output.uri)
    if not isinstance(store, LocalStore):
        return
    for source in open_sources(job):
        for path in source.paths:
            resolved = LocalStore(path).root
            if store.root.is_relative_to(resolved) or resolved.is_relative_to(store.root):
                raise PassbandError(
                    f"output.uri {store.uri} and the source {resolved} lie inside one another; choose another output"
                )


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold the output against a second run; the lock goes with the process, however it ends."""
    if not isinstance(store, LocalStore):
        yield  # runs that meet in an object store write equal shards
        return
    lock = FileLock(store.root / LOCK)
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_TIMEOUT_S)
    except Timeout as error:
        raise PassbandError(f"{store.uri}: another passband process is at work on this output") from error
    except OSError as error:
        raise output_error(error, store.uri) or OutputError(f"cannot write to {store.uri}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def swept(store: Store) -> Iterator[None]:
    """Remove what a crashed run left behind, and then what workers that were stopped here leave."""
    store.sweep()
    try:
        yield
    finally:
        store.sweep()


def _prepare(store: Store, job: GenerateJob, display: Display) -> Blueprint:
    if not store.exists(JOB):
        if any(store.names(folder) for folder in ("shards", "records")):
            raise PassbandError(f"{store.uri}: holds shards or records but no {JOB}; choose an empty output")
        blueprint, plan = draw_up(job, current_environment(job), display.planning)
        write_blueprint(store, blueprint, plan)
        return blueprint
    blueprint = read_blueprint(store)
    _refuse_other_job(blueprint, job, store.uri)
    refuse_other_environment(blueprint, store.uri)
    if hashlib.sha256(store.read(PLAN)).hexdigest() != blueprint.plan_sha256:
        raise IntegrityError(f"{store.uri}/{PLAN}: is not the plan that {JOB} was written with")
    return _with_job(store, blueprint, job)


def _with_job(store: Store, blueprint: Blueprint, job: GenerateJob) -> Blueprint:
    """Return the blueprint with what may differ between two runs of one dataset as `job` says it: budgets, formats."""
    if blueprint.job.resolved() == job.resolved():
        return blueprint
    changed = replace(blueprint, job=job)
    write_job(store, changed)
    return changed


def _refuse_other_job(blueprint: Blueprint, job: GenerateJob, uri: str) -> None:
    differing = list(_differences(identity_form(blueprint.job), identity_form(job), ""))
    if differing:
        raise PassbandError(
            f"{uri}: holds a dataset of another job: {'; '.join(differing[:8])}"
            f"{' and more' if len(differing) > 8 else ''}. Choose another output.uri, or go back to that job"
        )


def _differences(there: Any, here: Any, path: str) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            yield from _differences(there.get(key), here.get(key), f"{path}.{key}" if path else key)
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for position, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from _differences(old, new, f"{path}[{position}]")
    elif there != here:
        yield f"{path} is {_short(there)} there and {_short(here)} here"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _make_shards(store: Store, ledger: Ledger, display: Display, faults: Faults) -> None:
    pending = list(ledger.pending())
    if not pending:
        ledger.check_budgets()
        return
    compute = ledger.blueprint.job.compute
    choice = choose(compute.executor, compute.workers, compute.address)
    identity = ledger.blueprint.identity
    tasks = (
        ShardTask(store.uri, identity, shard, compute.batch_size, choice.threads, tuple(faults.get(shard, ())))
        for shard in pending
    )
    retries = Retries(max_attempts=compute.max_attempts)
    with open_executor(choice, retries, compute.task_timeout_s, len(pending)) as executor:
        with closing(executor.run(tasks)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome.record, WriteFailure):
                    raise OutputError(outcome.record.message)
                assert isinstance(outcome.task, ShardTask)
                ledger.add(outcome, outcome.task.shard)
                display.event(ledger, outcome.error)
                ledger.check_budgets()
    ledger.raise_failed()


def write_manifest(store: Store, ledger: Ledger) -> Manifest:
    """Write the manifest of a dataset whose shards are all done, keeping the FFCV file that an equal one named."""
    blueprint = ledger.blueprint
    records = [ledger.done[shard] for shard in range(blueprint.shards)]
    manifest = Manifest(
        name=blueprint.job.name,
        identity=blueprint.identity,
        environment=blueprint.environment,
        shape=list(blueprint.shape),
        encoding=blueprint.job.output.encoding,
        classes=list(blueprint.classes),
        domains=list(blueprint.domains),
        views=blueprint.views(),
        samples=ledger.samples,
        group_counts=merge_counts(record.group_counts for record in records),
        class_counts=merge_counts(record.class_counts for record in records),
        bad=ledger.bad,
        shards=[
            ManifestShard(
                shard=record.shard,
                tar=record.tar,
                provenance=record.provenance,
                record=stored_file(store, record_name(record.shard)),
                samples=record.samples,
            )
            for record in records
        ],
    )
    manifest = manifest.model_copy(update={"beton": _earlier_beton(store, manifest)})
    store.put(MANIFEST, readable_json(manifest))
    return manifest


def _earlier_beton(store: Store, manifest: Manifest) -> BetonFile | None:
    """Return the FFCV file of an earlier manifest if it was derived from these very shards."""
    if not store.exists(MANIFEST):
        return None
    earlier = read_manifest(store)
    same = [shard.tar for shard in earlier.shards] == [shard.tar for shard in manifest.shards]
    return earlier.beton if same else None


def _finish(store: Store, ledger: Ledger, manifest: Manifest, display: Display) -> Manifest:
    """Derive what is made from the shards: the FFCV file and the card."""
    if "ffcv" in ledger.blueprint.job.output.formats or manifest.beton is not None:
        beton = manifest.beton
        if beton is None or not store.exists(beton.name) or store.size(beton.name) != beton.bytes:
            display.step("exporting to FFCV")
            manifest = export_beton(store, manifest)
    display.step("writing the card")
    write_card(store, ledger.blueprint, manifest, ledger.done.values())
    return manifest
