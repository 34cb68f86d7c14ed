"""What of a plan is done, what is left, what failed: read from the records, then kept up by the driver."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.executors.base import Outcome
from jobs.generation.blueprint import Blueprint
from pipeline.errors import IntegrityError, PassbandError
from pipeline.manifest import BadSample, ShardRecord, read_record, record_name, shard_name
from pipeline.store import Store


class BadImagesError(PassbandError):
    """More unreadable images than the job allows; the message lists them."""


class ShardsFailedError(PassbandError):
    """Shards that failed for good; the message names each with its cause."""


@dataclass
class Ledger:
    """State of a run.

    Attributes
    ----------
    done : shard -> record
    failed : shard -> what happened
    warnings : list of str
        What was found in the output that is not good and will be made again.
    """

    blueprint: Blueprint
    done: dict[int, ShardRecord] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    retried: int = 0
    warnings: list[str] = field(default_factory=list)

    def pending(self) -> Iterator[int]:
        """Yield the shards that are neither done nor failed, in order."""
        return (shard for shard in range(self.blueprint.shards) if shard not in self.done and shard not in self.failed)

    @property
    def samples(self) -> int:
        """Samples in finished shards."""
        return sum(record.samples for record in self.done.values())

    @property
    def bad(self) -> list[BadSample]:
        """Unreadable images met so far, in plan order."""
        return sorted((b for record in self.done.values() for b in record.bad), key=lambda b: b.index)

    def add(self, outcome: Outcome, shard: int) -> None:
        """Enter what became of a task."""
        if outcome.kind == "done":
            assert isinstance(outcome.record, ShardRecord)
            self.done[shard] = outcome.record
        elif outcome.kind == "failed":
            self.failed[shard] = outcome.error or "failed"
        else:
            self.retried += 1

    def check_budgets(self) -> None:
        """Raise when more images are bad, or more shards failed, than the job allows."""
        job = self.blueprint.job
        if len(self.failed) > job.compute.failure_budget:
            self.raise_failed()
        bad = self.bad
        if len(bad) > job.bad_images:
            listed = "\n".join(f"  {b.key}: {b.reason}" for b in bad[:50])
            more = f"\n  and {len(bad) - 50} more" if len(bad) > 50 else ""
            raise BadImagesError(
                f"{len(bad)} images cannot be read, bad_images allows {job.bad_images} "
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


def read_ledger(store: Store, blueprint: Blueprint) -> Ledger:
    """Read what is done, and remove the records that do not hold, so that their shards are made again."""
    done, warnings = find_done(store, blueprint)
    for shard in range(blueprint.shards):
        if shard not in done:
            store.delete(record_name(shard))
    return Ledger(blueprint, done, warnings=warnings)


def find_done(store: Store, blueprint: Blueprint) -> tuple[dict[int, ShardRecord], list[str]]:
    """Return the records that hold, and in words what does not.

    A record without its files does not count, nor a shard without its record. Sizes are compared here, hashes by
    ``verify``. Nothing is changed.
    """
    done: dict[int, ShardRecord] = {}
    warnings: list[str] = []
    present = set(store.names("records")) | set(store.names("shards"))
    for shard in range(blueprint.shards):
        tar = shard_name(blueprint.job.name, shard)
        try:
            if record_name(shard) in present:
                done[shard] = _good_record(store, blueprint, shard, present)
            elif tar in present:
                raise IntegrityError(f"{store.uri}/{tar}: has no record, so it may be unfinished")
        except IntegrityError as error:
            warnings.append(f"{error}; the shard does not count")
    known = {shard_name(blueprint.job.name, shard) for shard in range(blueprint.shards)}
    strays = sorted(name for name in present if name.startswith("shards/") and name not in known)
    return done, warnings + [f"{store.uri}/{stray}: is no shard of this dataset; it is left alone" for stray in strays]


def _good_record(store: Store, blueprint: Blueprint, shard: int, present: set[str]) -> ShardRecord:
    record = read_record(store, shard)
    for file in (record.tar, record.provenance):
        where = f"{store.uri}/{file.name}"
        if file.name not in present:
            raise IntegrityError(f"{where}: is missing, but its record is there")
        found = store.size(file.name)
        if found != file.bytes:
            raise IntegrityError(f"{where}: has {found} bytes, its record says {file.bytes}")
    for key, expected in (("identity", blueprint.identity), ("environment", blueprint.environment_digest)):
        if getattr(record, key) != expected:
            raise IntegrityError(f"{store.uri}/{record_name(shard)}: {key} is not that of the dataset")
    return record
