"""Run a generation job from its file to a finished dataset; the same call resumes it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from filelock import FileLock, Timeout

from jobs.executors.base import Retries
from jobs.executors.choice import choose, open_executor
from jobs.generation.blueprint import (
    Blueprint,
    check_plan,
    draw_up,
    identity_form,
    open_sources,
    read_blueprint,
    write_blueprint,
    write_job,
)
from jobs.generation.environment import current_environment, refuse_other_environment
from jobs.generation.export import export_beton
from jobs.generation.ledger import Ledger, read_ledger
from jobs.generation.worker import ShardTask, WriteFailure, open_workshop
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
    ShardRecord,
    merge_counts,
    read_manifest,
    readable_json,
    record_name,
    stored_file,
)
from pipeline.store import FOLDERS, LocalStore, Store, open_store

LOCK = ".lock"
FAILURES = "failures.json"
"""What failed in the last run, for ``status``."""
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


@dataclass(frozen=True)
class Remake:
    """What of a dataset is to be made again although it is there."""

    shards: frozenset[int] = frozenset()
    plan: bool = False
    beton: bool = False


def generate(
    job: GenerateJob,
    *,
    display: Display | None = None,
    checkpoint: Callable[[], None] = lambda: None,
    faults: Faults | None = None,
    remake: Remake | None = None,
) -> Manifest:
    """Make, or go on making, the dataset of `job`.

    Parameters
    ----------
    checkpoint : callable
        Called after every shard; what it raises ends the run cleanly.
    faults : shard -> faults by attempt
        For tests; see `ShardTask`.
    remake : Remake
        For repair.

    Raises
    ------
    PassbandError
        Everything a user can mend. Finished shards are always kept.
    """
    display, remake, job = display or SilentDisplay(), remake or Remake(), job.with_absolute_paths()
    refuse_nested_output(job)
    store = open_store(job.output.uri)
    with locked(store), swept(store):
        blueprint = _prepare(store, job, display, remake)
        for shard in remake.shards:
            store.delete(record_name(shard))  # without it the shard does not count, and is made anew
        ledger = read_ledger(store, blueprint)
        display.started(ledger)
        _make_shards(store, ledger, display, checkpoint, faults or {})
        return _finish(store, ledger, display, remake)


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


def _prepare(store: Store, job: GenerateJob, display: Display, remake: Remake) -> Blueprint:
    if not store.exists(JOB):
        _refuse_foreign(store)
        blueprint, plan = draw_up(job, current_environment(job), display.planning)
        write_blueprint(store, blueprint, plan)
        return blueprint
    blueprint = read_blueprint(store)
    _refuse_other_job(blueprint, job, store.uri)
    refuse_other_environment(blueprint, store.uri)
    if remake.plan or _sources_moved(blueprint.job, job):
        _plan_again(store, blueprint, job, display)
    for problem in check_plan(store, blueprint):
        raise IntegrityError(f"{problem.message}; verify --repair makes it again")
    return _with_job(store, blueprint, job)


def _refuse_foreign(store: Store) -> None:
    """Raise if the output holds files that are not ours: a run replaces README.md, for one."""
    own = {LOCK, PLAN}  # a run that was killed while it planned leaves these
    strange = [name for folder in ("", *FOLDERS) for name in store.names(folder) if name not in own]
    if strange:
        raise PassbandError(
            f"{store.uri}: holds {strange[0]}{' and more' if len(strange) > 1 else ''} but no {JOB}; "
            "choose an empty folder for the output"
        )


def _sources_moved(there: GenerateJob, here: GenerateJob) -> bool:
    return any(old.model_dump() != new.model_dump() for old, new in zip(there.source, here.source, strict=True))


def _plan_again(store: Store, blueprint: Blueprint, job: GenerateJob, display: Display) -> None:
    """Plan from the source as it is now; the plan must be the one that the dataset was begun with."""
    drawn, plan = draw_up(job, blueprint.environment, display.planning)
    if drawn.identity != blueprint.identity or drawn.plan_sha256 != blueprint.plan_sha256:
        raise IntegrityError(
            f"{store.uri}: was made from other images than the source {', '.join(e.kind for e in job.source)} has now; "
            "choose another output.uri"
        )
    store.put(PLAN, plan)


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


def _make_shards(
    store: Store, ledger: Ledger, display: Display, checkpoint: Callable[[], None], faults: Faults
) -> None:
    ledger.check_budgets()
    pending = list(ledger.pending())
    if pending:
        try:
            _run_tasks(store, ledger, pending, display, checkpoint, faults)
        finally:
            _note_failures(store, ledger)
    ledger.raise_failed()


def _run_tasks(
    store: Store, ledger: Ledger, pending: list[int], display: Display, checkpoint: Callable[[], None], faults: Faults
) -> None:
    compute, identity = ledger.blueprint.job.compute, ledger.blueprint.identity
    choice = choose(compute.executor, compute.workers, compute.address)
    tasks = (
        ShardTask(store.uri, identity, shard, compute.batch_size, choice.threads, tuple(faults.get(shard, ())))
        for shard in pending
    )
    retries = Retries(max_attempts=compute.max_attempts)
    setup = partial(open_workshop, store.uri, identity)
    with open_executor(choice, retries, compute.task_timeout_s, len(pending), setup) as executor:
        with closing(executor.run(tasks)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome.record, WriteFailure):
                    raise OutputError(outcome.record.message)
                assert isinstance(outcome.task, ShardTask)
                ledger.add(outcome, outcome.task.shard)
                display.event(ledger, outcome.error)
                ledger.check_budgets()
                checkpoint()


def _note_failures(store: Store, ledger: Ledger) -> None:
    """Keep what failed for ``status``; it is no part of the dataset, and goes with the next run that succeeds."""
    if ledger.failed:
        with suppress(OutputError):  # a full disk has been told already
            store.put(FAILURES, json.dumps(ledger.failed, indent=1, sort_keys=True).encode())
    else:
        store.delete(FAILURES)


def build_manifest(store: Store, blueprint: Blueprint, records: list[ShardRecord]) -> Manifest:
    """Return the manifest of a dataset whose shards are all done, by their records in order."""
    return Manifest(
        name=blueprint.job.name,
        identity=blueprint.identity,
        environment=blueprint.environment,
        shape=list(blueprint.shape),
        encoding=blueprint.job.output.encoding,
        classes=list(blueprint.classes),
        domains=blueprint.domains,
        views=blueprint.views(),
        samples=sum(record.samples for record in records),
        group_counts=merge_counts(record.group_counts for record in records),
        class_counts=merge_counts(record.class_counts for record in records),
        bad=[bad for record in records for bad in record.bad],
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


def _earlier_beton(store: Store, manifest: Manifest) -> BetonFile | None:
    """Return the FFCV file of an earlier manifest if it was derived from these very shards."""
    try:
        earlier = read_manifest(store)
    except IntegrityError:  # there is none, or it is damaged and about to be replaced
        return None
    same = [shard.tar for shard in earlier.shards] == [shard.tar for shard in manifest.shards]
    return earlier.beton if same else None


def _finish(store: Store, ledger: Ledger, display: Display, remake: Remake) -> Manifest:
    """Write what is derived from the shards: the manifest, the FFCV file and the card."""
    blueprint = ledger.blueprint
    manifest = build_manifest(store, blueprint, [ledger.done[shard] for shard in range(blueprint.shards)])
    beton = _earlier_beton(store, manifest)
    manifest = manifest.model_copy(update={"beton": beton})
    store.put(MANIFEST, readable_json(manifest))
    if "ffcv" in blueprint.job.output.formats or beton is not None or remake.beton:
        stale = beton is None or not store.exists(beton.name) or store.size(beton.name) != beton.bytes
        if stale or remake.beton:
            display.step("exporting to FFCV")
            manifest = export_beton(store, manifest)
    display.step("writing the card")
    write_card(store, blueprint, manifest, ledger.done.values())
    return manifest
