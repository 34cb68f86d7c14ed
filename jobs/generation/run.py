"""Run a generation job from its file to a finished dataset; the same call resumes it."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from passband.jobs.common.overwrite import Contents
from passband.jobs.common.wording import count
from passband.jobs.dataset.blueprint import refuse_outdated
from passband.jobs.dataset.environment import choose_executor
from passband.jobs.dataset.inputs import refuse_damaged_inputs
from passband.jobs.dataset.kept import Kept
from passband.jobs.dataset.memory import footprint, kept_bytes
from passband.jobs.dataset.output import Found, refuse_nested_output, still_there, swept
from passband.jobs.dataset.plan import Plan
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.executors.base import Outcome, Retries
from passband.jobs.executors.choice import open_executor
from passband.jobs.executors.drive import drive
from passband.jobs.executors.kind import Choice
from passband.jobs.generation.display import Display, SilentDisplay
from passband.jobs.generation.finish import finish
from passband.jobs.generation.ledger import Ledger, read_ledger
from passband.jobs.generation.prepare import prepare
from passband.jobs.generation.worker import ShardTask
from passband.jobs.generation.workshop import open_workshop
from passband.kernels.cuda.device import VARIABLE
from passband.pipeline.errors import OutputError
from passband.pipeline.layout import FAILURES, record_name
from passband.pipeline.lock import locked
from passband.pipeline.records import Manifest, ShardRecord
from passband.pipeline.store import Store, open_store

ONLY_SIZES = "comparing only the sizes"
Faults = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True)
class Remake:
    """What of a dataset is to be made again although it is there.

    Attributes
    ----------
    exports : names of formats whose file is packed again
    """

    shards: frozenset[int] = frozenset()
    plan: bool = False
    exports: frozenset[str] = frozenset()


def generate(
    job: GenerateJob,
    *,
    display: Display | None = None,
    checkpoint: Callable[[], None] = lambda: None,
    faults: Faults | None = None,
    remake: Remake | None = None,
    trust: bool = False,
    plan: Plan | None = None,
    overwrite: bool | Contents = False,
) -> Manifest:
    """Make, or go on making, the dataset of `job`.

    What an earlier run left is read through and held against its hashes, and damage made again.

    Parameters
    ----------
    checkpoint : callable
        Called after every shard; what it raises ends the run cleanly.
    faults : shard -> faults by attempt
        For tests; see `ShardTask`.
    remake : Remake
        For repair.
    trust : bool
        Compare no more than the sizes of what an earlier run left.
    plan : Plan
        Of the job, where it was made just before.
    overwrite : bool or Contents
        Delete another output of ours that is in the way, or what of it was agreed to be deleted; nothing where this
        job only goes on.

    Raises
    ------
    PassbandError
        Everything a user can mend. Finished shards are always kept.
    """
    display, job = display or SilentDisplay(), job.with_absolute_paths()
    repairing, remake = remake is not None, remake or Remake()
    refuse_nested_output(job)
    choice = choose_executor(job)
    kept = Kept(kept_bytes(job, choice)) if plan is None else plan.kept
    store = open_store(job.output.uri)
    found = Found(store)
    with locked(store), found.kept(), swept(store):
        blueprint = prepare(
            store,
            job,
            display.planning,
            display.step,
            checkpoint,
            plan_again=remake.plan,
            plan=plan,
            kept=kept,
            overwrite=overwrite,
        )
        with still_there(store, blueprint):
            trust = trust or repairing  # what is repaired was found by its hash
            refuse_damaged_inputs(store, blueprint.inputs, trust=trust)
            ledger = read_ledger(store, blueprint, trust=trust, step=display.step, checkpoint=checkpoint)
            if ledger.done and trust and not repairing:
                display.step(f"{ONLY_SIZES} of {count(len(ledger.done), 'shard')} made before")
            ledger.forget(remake.shards)
            ledger.warnings[:0] = blueprint.spoken_warnings
            display.started(ledger)
            _Run(store, ledger, choice, kept, display, checkpoint, faults or {}).make_shards()
            return finish(store, ledger, display.step, exports_again=remake.exports, trust=trust)


@dataclass(frozen=True)
class _Run:
    """What the shards of one run are made with."""

    store: Store
    ledger: Ledger
    choice: Choice
    kept: Kept
    display: Display
    checkpoint: Callable[[], None]
    faults: Faults

    def make_shards(self) -> None:
        """Make what is not done; raise if a shard failed for good."""
        self.ledger.check_budgets()
        pending = list(self.ledger.pending())
        if pending:
            refuse_outdated(self.ledger.blueprint, self.store.uri)
            for name in {record_name(shard) for shard in pending} & set(self.store.names("records")):
                self.store.delete(name)  # without it a shard does not count, and is made anew
            try:
                self._run_tasks(pending)
            finally:
                _note_failures(self.store, self.ledger)
        self.ledger.raise_failed()

    def _run_tasks(self, pending: list[int]) -> None:
        compute, identity = self.ledger.blueprint.job.compute, self.ledger.blueprint.identity
        retries = Retries(max_attempts=compute.max_attempts)
        setup = partial(open_workshop, self.store.uri, identity, os.environ.get(VARIABLE))
        opening = open_executor(self.choice, retries, compute.task_timeout_s, len(pending), setup)
        drive(opening, self._tasks(pending), self.ledger, self._tell, self.checkpoint)

    def _tell(self, outcome: Outcome) -> None:
        self.display.event(self.ledger, outcome.error or _noted(outcome))

    def _tasks(self, pending: list[int]) -> Iterator[ShardTask]:
        blueprint, threads = self.ledger.blueprint, self.choice.threads
        fit = footprint(blueprint, threads)
        if not fit.overlaps:
            self.kept.clear()  # single images are so large that they need the memory
        for shard in pending:
            faults = tuple(self.faults.get(shard, ()))
            yield ShardTask(
                self.store.uri, blueprint.identity, shard, fit.samples, fit.overlaps, threads, faults, self.kept
            )


def _noted(outcome: Outcome) -> str | None:
    """Return what the record of a finished shard tells a person, if anything."""
    notes = outcome.record.notes if isinstance(outcome.record, ShardRecord) else []
    return f"{outcome.task.name}: {'; '.join(notes)}" if notes else None


def _note_failures(store: Store, ledger: Ledger) -> None:
    """Keep what failed for ``status``; it is no part of the dataset, and goes with the next run that succeeds."""
    if ledger.failed:
        with suppress(OutputError):  # a full disk has been told already
            store.put(FAILURES, json.dumps(ledger.failed, indent=1, sort_keys=True).encode())
    else:
        store.delete(FAILURES)
