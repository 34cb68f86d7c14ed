"""One shard task becomes one committed shard.

Three steps overlap on a small thread pipeline: one thread reads and decodes ahead, this one runs the kernels, as many
as the task has encode a batch, each a part; what is encoded is written in order. Three batches are alive at once,
whatever the source; of images that are too large for that, one (`jobs.dataset.memory`).
"""

import hashlib
import io
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.environment import processor
from passband.jobs.dataset.kept import Kept
from passband.jobs.dataset.memory import give_back_free_memory
from passband.jobs.dataset.packing import EncodedBatch, Tally, as_counts
from passband.jobs.dataset.plan import PlanRow, read_rows
from passband.jobs.dataset.reading import Batch
from passband.jobs.dataset.views import Started
from passband.jobs.executors.base import WriteFailure
from passband.jobs.executors.here import check_stopped, worker_name
from passband.jobs.generation.workshop import Workshop, own, told_apart
from passband.pipeline.errors import IntegrityError, OutputError
from passband.pipeline.formats.webdataset.tar import TarWriter
from passband.pipeline.layout import JOB, provenance_name, record_name, shard_name
from passband.pipeline.manifest import read_record, readable_json
from passband.pipeline.records import BadSample, ShardRecord, StoredFile
from passband.pipeline.seals import sealed
from passband.pipeline.store import attempt_id, open_output

_AHEAD = 1


@dataclass(frozen=True)
class ShardTask:
    """A range of the plan to turn into one shard; a pure function of the output folder's ``job.yaml`` and plan.

    Attributes
    ----------
    uri : str
        The output.
    identity : str
        Identity of the dataset, so that a worker that kept an older one open notices.
    overlaps : bool
        Whether a batch is read and another encoded while the kernels work on one; see `Footprint`.
    faults : tuple of str
        For tests: what happens at attempt 1, 2, ...: ``raise``, ``die``, ``hang``, or ``ok``.
    kept : Kept
        Images that the process of the run has read already; empty in any other process.
    """

    uri: str
    identity: str
    shard: int
    batch_size: int = 256
    overlaps: bool = True
    threads: int | None = None
    faults: tuple[str, ...] = ()
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Name in displays and errors."""
        return f"shard {self.shard:06d}"

    def run(self, attempt: int) -> "ShardRecord | WriteFailure":
        """Build the shard; what no retry can mend is a PermanentError, what stops the whole run a WriteFailure."""
        _inject(self.faults, attempt)
        try:
            with told_apart(self.batch_size):
                return build_shard(self, attempt)
        except OutputError as error:
            return WriteFailure(str(error))


def _inject(faults: tuple[str, ...], attempt: int) -> None:
    fault = faults[attempt - 1] if attempt <= len(faults) else "ok"
    if fault == "raise":
        raise RuntimeError("injected fault")
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hang":
        time.sleep(1e6)


def build_shard(task: ShardTask, attempt: int = 1) -> ShardRecord:
    """Build and commit one shard: tar, then provenance, then the record that makes it count.

    Raises
    ------
    IntegrityError
        If source or output are not what was planned.
    OutputError
        If the output cannot be written.
    """
    from passband.kernels.cpu import threads

    if task.threads is not None:
        threads.set_num_threads(task.threads)
    shop = own.workshop(task.uri, task.identity)
    store, name = shop.store, record_name(task.shard)
    if not store.exists(JOB):
        raise OutputError(f"{store.uri}: its {JOB} went away while the dataset was made")
    if store.exists(name):
        return read_record(store, task.shard)  # an earlier attempt got that far before it was lost
    started, clock = time.perf_counter(), Clock()
    tar = shard_name(shop.blueprint.job.name, task.shard)
    identifier = attempt_id()
    with store.staged(tar, identifier) as path:
        with open_output(path) as file:
            built = _fill(shop, task, file, clock)
        tar_file = _read_back(path, tar, built.sha256)
    provenance = _encode_table(built.provenance)
    with store.staged(provenance_name(task.shard), identifier) as path:
        with open_output(path) as file:
            file.write(provenance)
    made = ShardRecord(
        identity=task.identity,
        environment=shop.blueprint.environment_digest,
        shard=task.shard,
        tar=tar_file,
        provenance=StoredFile(
            name=provenance_name(task.shard), bytes=len(provenance), sha256=hashlib.sha256(provenance).hexdigest()
        ),
        samples=built.tally.samples,
        group_counts=as_counts(built.tally.groups),
        class_counts=as_counts(built.tally.classes),
        bad=built.bad,
        stage_seconds={step: round(seconds, 6) for step, seconds in sorted(clock.seconds.items())},
        seconds=round(time.perf_counter() - started, 6),
        finished=round(time.time(), 3),
        attempts=attempt,
        worker=worker_name(),
        processor=processor(),
        device=shop.augmenter.device,
        notes=shop.augmenter.take_notes(),
    )
    record = sealed(made)
    if not store.put_new(name, readable_json(record)):
        return read_record(store, task.shard)
    return record


@dataclass
class _Built:
    """What the pipeline leaves beside the tar itself."""

    provenance: list[pa.Table]
    tally: Tally
    bad: list[BadSample]
    sha256: str


class _HashingFile:
    """Passes writes on and hashes them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sha256.update(content)
        return self._file.write(content)


def _fill(shop: Workshop, task: ShardTask, file: IO[bytes], clock: Clock) -> _Built:
    rows = read_rows(shop.store, shop.footer, task.shard)
    hashing = _HashingFile(file)
    tar = TarWriter(hashing)
    built = _Built([], Tally(), [], "")
    try:
        for encoded in _encoded_batches(shop, rows, task, clock):
            with clock.step("write"):
                built.provenance.append(encoded.write(tar))
            built.tally.add(encoded)
            built.bad.extend(encoded.bad)
            del encoded  # before the next batch is made
    finally:
        shop.augmenter.abandon()  # where this failed, other batches are under way
    tar.close()
    built.sha256 = hashing.sha256.hexdigest()
    return built


def _encoded_batches(shop: Workshop, rows: list[PlanRow], task: ShardTask, clock: Clock) -> Iterator[EncodedBatch]:
    waiting = deque(rows[start : start + task.batch_size] for start in range(0, len(rows), task.batch_size))
    encoders = task.threads or 1
    started: deque[tuple[Batch, Started]] = deque()
    with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(encoders, "encode") as encoding:
        ahead: deque[Future[Batch]] = deque()
        encoded: deque[list[Future[EncodedBatch]]] = deque()
        while waiting or ahead or started:
            while waiting and len(ahead) <= (_AHEAD if task.overlaps else 0):
                ahead.append(reading.submit(shop.reader.read, waiting.popleft(), clock, task.kept))
            if ahead:
                if not task.overlaps:
                    give_back_free_memory()
                batch = ahead.popleft().result()
                check_stopped()
                started.append((batch, shop.augmenter.start(batch, clock)))
                del batch
                if len(started) < shop.augmenter.in_flight:
                    continue
            encoded.append(_encode_parts(shop, encoding, encoders, *started.popleft(), clock))
            while len(encoded) > task.overlaps:
                yield from _results(encoded.popleft())
        while encoded:
            yield from _results(encoded.popleft())


def _encode_parts(
    shop: Workshop, encoding: ThreadPoolExecutor, encoders: int, batch: Batch, started: Started, clock: Clock
) -> list[Future[EncodedBatch]]:
    """Begin to encode a batch, on every encoder a part of it; what was encoded goes as soon as it is written."""
    views, size = started.result(), max(1, -(-len(batch.rows) // encoders))
    starts = range(0, max(1, len(batch.rows)), size)
    parts = [(batch.part(start, start + size), views.part(start, start + size)) for start in starts]
    parts[0][0].bad.extend(batch.bad)
    return [encoding.submit(shop.packer.encode, rows, pixels, clock) for rows, pixels in parts]


def _results(futures: list[Future[EncodedBatch]]) -> Iterator[EncodedBatch]:
    while futures:
        yield futures.pop(0).result()


def _read_back(path: Path, name: str, expected: str) -> StoredFile:
    """Hash what the file system gives back, and compare it with what was written."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise IntegrityError(f"{name}: reads back as sha256 {found}, written was {expected}")
    return StoredFile(name=name, bytes=path.stat().st_size, sha256=found)


def _encode_table(tables: list[pa.Table]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables(tables).combine_chunks(), sink, compression="zstd")
    return sink.getvalue()
