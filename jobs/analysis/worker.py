"""One task is a block of frequencies of one map; its record, a file, is what the map is put together from."""

import threading
from dataclasses import dataclass
from functools import lru_cache

from pydantic import ValidationError

from passband.jobs.analysis.counting import MapName, Subject, count_wrong
from passband.jobs.analysis.envelope import Envelope, environment, read_envelope
from passband.jobs.analysis.inputs import Inputs, read_inputs
from passband.jobs.analysis.prepare import surrogate_of
from passband.jobs.analysis.sensitivity import noise_norms
from passband.jobs.analysis.spec import AnalyzeJob, parse_analyze_job
from passband.jobs.dataset.environment import current_environment, refuse_mixing
from passband.jobs.executors.base import PermanentError, WriteFailure
from passband.jobs.executors.choice import of_here
from passband.jobs.executors.here import worker_name
from passband.pipeline.errors import IntegrityError, OutputError, PassbandError
from passband.pipeline.layout import BLOCKS, SURROGATE
from passband.pipeline.options import StrictModel
from passband.pipeline.seals import put_sealed, read_sealed
from passband.pipeline.store import Store, open_store

_opening = threading.Lock()


class BlockRecord(StrictModel):
    """What a block came to; written last, its presence means done.

    Attributes
    ----------
    start, stop : range of distinct frequencies
    wrong : [frequency][class], images that are misclassified
    by_image : entries of the map, of this block, that misclassify each image; null where all images are looked at
    seconds : that it took, on `threads` threads
    model_seconds : within the surrogate, all threads together
    """

    identity: str
    map: MapName
    block: int
    start: int
    stop: int
    wrong: list[list[int]]
    by_image: list[int] | None
    passes: int
    seconds: float
    threads: int
    model_seconds: float
    attempts: int
    worker: str


def block_name(name: MapName, block: int) -> str:
    """Return the name of a block's record."""
    return f"{BLOCKS}/{name}-{block:06d}.json"


def read_block(store: Store, identity: str, name: MapName, block: int) -> BlockRecord | None:
    """Read a record; None where there is none that counts: a damaged one is made again, and so is another job's."""
    where = block_name(name, block)
    if not store.exists(where):
        return None
    try:
        record = BlockRecord.model_validate(read_sealed(store, where))
    except (ValidationError, ValueError):
        return None
    return record if (record.identity, record.map, record.block) == (identity, name, block) else None


@dataclass(frozen=True)
class BlockTask:
    """Distinct frequencies start .. stop - 1 of one map, over all images; a pure function of folder and checkpoint."""

    uri: str
    identity: str
    map: MapName
    block: int
    start: int
    stop: int
    threads: int

    @property
    def name(self) -> str:
        """Name in displays and errors."""
        return f"block {self.map}-{self.block:06d}"

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
    envelope: Envelope
    job: AnalyzeJob
    inputs: Inputs
    subject: Subject


@lru_cache(maxsize=1)
def _open(uri: str, identity: str) -> _Workshop:
    store = open_store(uri)
    envelope = read_envelope(store)
    if envelope.identity != identity or envelope.inputs is None:
        raise IntegrityError(f"{store.uri}: holds analysis {envelope.identity}, the task is of {identity}")
    job = parse_analyze_job(of_here(envelope.job))
    here = environment(current_environment(job.images()), envelope.what)
    refuse_mixing(envelope.environment, here, store.uri, "blocks")
    inputs = read_inputs(store, envelope.inputs)
    return _Workshop(store, envelope, job, inputs, _subject(envelope, job, inputs, store.read(SURROGATE)))


def _subject(envelope: Envelope, job: AnalyzeJob, inputs: Inputs, weights: bytes) -> Subject:
    from passband.kernels.cpu.pixels import to_float

    assert envelope.surrogate is not None
    model = surrogate_of(job, envelope.classes, envelope.shape, envelope.surrogate.sha256, weights)
    images, classes = to_float(inputs.pixels), len(envelope.classes)
    return Subject(images, inputs.labels, inputs.indices, envelope.key, model, classes)


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
    done = read_block(shop.store, task.identity, task.map, task.block)
    if done is not None and (done.start, done.stop) == (task.start, task.stop):
        return done  # an earlier attempt got that far before it was lost
    norms = noise_norms(task.map, shop.job.options(), shop.inputs.amplitude, *shop.envelope.shape[1:])
    counts = count_wrong(shop.subject, task.map, norms, task.start, task.stop)
    record = BlockRecord(
        identity=task.identity,
        map=task.map,
        block=task.block,
        start=task.start,
        stop=task.stop,
        wrong=counts.wrong.tolist(),
        by_image=None if shop.job.subset is None else counts.by_image.tolist(),
        passes=counts.passes,
        seconds=round(counts.seconds, 6),
        threads=counts.threads,
        model_seconds=round(counts.model_seconds, 6),
        attempts=attempt,
        worker=worker_name(),
    )
    put_sealed(shop.store, block_name(task.map, task.block), record.model_dump())
    return record
