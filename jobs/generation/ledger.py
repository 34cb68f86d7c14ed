"""What of a plan is done, what is left, what failed: read from the records, then kept up by the driver."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.executors import drive
from passband.jobs.executors.base import Outcome
from passband.jobs.generation.rehash import find_damaged
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.layout import record_name, shard_name
from passband.pipeline.manifest import check_record, read_record
from passband.pipeline.records import BadSample, ShardRecord
from passband.pipeline.store import Store

if TYPE_CHECKING:
    from passband.jobs.generation.worker import ShardTask


class BadImagesError(PassbandError):
    """More unreadable images than the job allows; the message lists them."""


class ShardsFailedError(PassbandError):
    """Shards that failed for good; the message names each with its cause."""


@dataclass
class Ledger(drive.Ledger[int, ShardRecord]):
    """State of a run; places are numbers of shards.

    Attributes
    ----------
    samples : int
        In finished shards.
    bad : list of BadSample
        Unreadable images met so far.
    warnings : list of str
        What was found in the output that is not good and will be made again.
    """

    blueprint: Blueprint
    warnings: list[str] = field(default_factory=list)
    samples: int = field(init=False)
    bad: list[BadSample] = field(init=False)

    def __post_init__(self) -> None:
        self._add_up()

    def _add_up(self) -> None:
        self.samples = sum(record.samples for record in self.done.values())
        self.bad = [bad for record in self.done.values() for bad in record.bad]

    def forget(self, shards: Collection[int]) -> None:
        """Count `shards` as not made."""
        for shard in shards:
            self.done.pop(shard, None)
        self._add_up()

    def place_of(self, task: "ShardTask") -> int:
        """Return the number of the task's shard."""
        return task.shard

    def add(self, outcome: Outcome) -> None:
        """Enter what became of an attempt, and the samples of a shard that is done."""
        super().add(outcome)
        if outcome.kind == "done":
            self.samples += outcome.record.samples
            self.bad += outcome.record.bad

    def check_budgets(self) -> None:
        """Raise when more images are bad, or more shards failed, than the job allows."""
        super().check_budgets()
        allowed = self.blueprint.job.bad_images
        if len(self.bad) > allowed:
            bad = sorted(self.bad, key=lambda sample: sample.index)
            listed = "\n".join(f"  {b.key}: {b.reason}" for b in bad[:50])
            more = f"\n  and {len(bad) - 50} more" if len(bad) > 50 else ""
            raise BadImagesError(
                f"{len(bad)} images cannot be read, bad_images allows {allowed} "
                f"({self.samples + len(bad)} of {self.blueprint.samples} samples looked at):\n{listed}{more}\n"
                "mend them and start a new output, or raise bad_images and run again: finished shards are kept"
            )

    def raise_failed(self) -> None:
        """Raise if any shard failed for good."""
        if self.failed:
            listed = "\n".join(f"  {error}" for _, error in sorted(self.failed.items()))
            raise ShardsFailedError(
                f"{len(self.failed)} of {self.blueprint.shards} shards failed; {len(self.done)} are done and kept, "
                f"the same command tries the rest again:\n{listed}"
            )


def read_ledger(
    store: Store,
    blueprint: Blueprint,
    *,
    trust: bool = False,
    step: Callable[[str], None] = lambda name: None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Ledger:
    """Read what is done, and hold it against its records; what does not hold counts as not made. Nothing is changed.

    Parameters
    ----------
    trust : compare sizes alone
    step : told what is checked
    checkpoint : called now and then; what it raises ends the run
    """
    done, warnings = find_done(store, blueprint)
    damaged = {} if trust else find_damaged(store, done.values(), step, checkpoint)
    for shard, problem in sorted(damaged.items()):
        del done[shard]
        warnings.append(f"{problem}; the shard is made again")
    budget = blueprint.job.compute.failure_budget
    return Ledger(blueprint, warnings, places=range(blueprint.shards), budget=budget, done=done)


def find_done(store: Store, blueprint: Blueprint) -> tuple[dict[int, ShardRecord], list[str]]:
    """Return the records that hold, and in words what does not.

    A record without its files does not count, nor a shard without its record. Sizes are compared here, hashes by
    `read_ledger` and ``verify``. Nothing is changed.
    """
    done: dict[int, ShardRecord] = {}
    warnings: list[str] = []
    present = set(store.names("records")) | set(store.names("shards"))
    for shard in range(blueprint.shards):
        tar = shard_name(blueprint.job.name, shard)
        if record_name(shard) in present:
            record, problems = _read(store, blueprint, shard)
            if record is not None and not problems:
                done[shard] = record
            warnings += [f"{problem}; the shard does not count" for problem in problems]
        elif tar in present:
            warnings.append(f"{store.uri}/{tar}: has no record, so it may be unfinished; the shard does not count")
    known = {shard_name(blueprint.job.name, shard) for shard in range(blueprint.shards)}
    strays = sorted(name for name in present if name.startswith("shards/") and name not in known)
    return done, warnings + [f"{store.uri}/{stray}: is no shard of this dataset; it is left alone" for stray in strays]


def _read(store: Store, blueprint: Blueprint, shard: int) -> tuple[ShardRecord | None, list[str]]:
    try:
        record = read_record(store, shard)
    except IntegrityError as error:
        return None, [str(error)]
    name, identity, environment = blueprint.job.name, blueprint.identity, blueprint.environment_digest
    return record, [p.message for p in check_record(store, record, name, identity, environment, hashes=False)]
