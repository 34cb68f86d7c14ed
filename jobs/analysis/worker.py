"""One task is a block of items of one part; its record, a file, is what the results are put together from."""

import threading
import time
from dataclasses import dataclass
from functools import lru_cache

from passband.jobs.analysis.envelope import Envelope, environment, read_envelope
from passband.jobs.analysis.inputs import read_inputs
from passband.jobs.analysis.prepare import model_of
from passband.jobs.analysis.record import BlockRecord, block_name, read_block
from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.analysis.study import Evaluate, Material
from passband.jobs.dataset.environment import current_environment, refuse_mixing
from passband.jobs.executors.base import PermanentError, WriteFailure
from passband.jobs.executors.choice import of_here
from passband.jobs.executors.here import worker_name
from passband.pipeline.errors import IntegrityError, OutputError, PassbandError
from passband.pipeline.layout import SURROGATE
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import Store, open_store

_opening = threading.Lock()


@dataclass(frozen=True)
class BlockTask:
    """Items start .. stop - 1 of one part; a pure function of folder and checkpoint."""

    uri: str
    identity: str
    part: str
    block: int
    start: int
    stop: int
    threads: int

    @property
    def name(self) -> str:
        """Name in displays and errors."""
        return f"block {self.part}-{self.block:06d}"

    def run(self, attempt: int) -> BlockRecord | WriteFailure:
        """Evaluate the block and store its record; what no retry can mend is a PermanentError."""
        try:
            return evaluate_block(self, attempt)
        except OutputError as error:
            return WriteFailure(str(error))
        except PassbandError as error:
            raise PermanentError(str(error)) from error


@dataclass(frozen=True)
class _Workshop:
    """What a worker process keeps open between the blocks of one analysis."""

    store: Store
    kind: type[BlockRecord]
    evaluate: Evaluate


@lru_cache(maxsize=1)
def _open(uri: str, identity: str) -> _Workshop:
    store = open_store(uri)
    envelope = read_envelope(store)
    if envelope.identity != identity:
        raise IntegrityError(f"{store.uri}: holds analysis {envelope.identity}, the task is of {identity}")
    study = envelope.study()
    return _Workshop(store, study.Record, study.open(open_material(store, envelope)))


def open_material(store: Store, envelope: Envelope) -> Material:
    """Read back what an analysis is made from.

    Raises
    ------
    PassbandError
        If inputs or checkpoint are not those that it began with, or another environment would make other bits.
    """
    if envelope.inputs is None:
        raise IntegrityError(f"{store.uri}: its job.yaml knows no inputs")
    job = parse_analyze_job(of_here(envelope.job))
    here = environment(current_environment(job.images()), job, envelope.what)
    refuse_mixing(envelope.environment, here, store.uri, "blocks")
    inputs, model = read_inputs(store, envelope.inputs), model_of(job, envelope, lambda: store.read(SURROGATE))
    return Material(job, envelope.key, tuple(envelope.classes), inputs, model)


def _workshop(uri: str, identity: str) -> _Workshop:
    """Open an analysis, or find it open: threads share it, and wait while one of them opens it."""
    with _opening:
        return _open(uri, identity)


def open_workshop(uri: str, identity: str) -> None:
    """Get a worker ready for the blocks of an analysis: imports, images and surrogate."""
    _workshop(uri, identity)


def close_workshop() -> None:
    """Let go of images and surrogate, which a run without Ray holds in this very process."""
    _open.cache_clear()


def evaluate_block(task: BlockTask, attempt: int = 1) -> BlockRecord:
    """Evaluate one block and store its record.

    Raises
    ------
    IntegrityError
        If inputs or checkpoint are not those that the analysis began with.
    OutputError
        If the output cannot be written.
    """
    from passband.kernels.cpu.threads import set_num_threads

    set_num_threads(task.threads)
    shop = _workshop(task.uri, task.identity)
    done = read_block(shop.store, shop.kind, task.identity, task.part, task.block)
    if done is not None and (done.start, done.stop) == (task.start, task.stop):
        return done  # an earlier attempt got that far before it was lost
    began = time.perf_counter()
    columns = shop.evaluate(task.part, task.start, task.stop)
    record = shop.kind(
        identity=task.identity,
        part=task.part,
        block=task.block,
        start=task.start,
        stop=task.stop,
        seconds=round(time.perf_counter() - began, 6),
        threads=task.threads,
        attempts=attempt,
        worker=worker_name(),
        **columns,
    )
    put_sealed(shop.store, block_name(task.part, task.block), record.model_dump())
    return record
