"""Datasets by what they are: a folder of a cache is named after the identity, so that it is made once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jobs.generation.blueprint import draft
from jobs.generation.environment import choose_executor, current_environment
from jobs.generation.kept import Kept
from jobs.generation.memory import kept_bytes
from jobs.generation.plan import make_plan
from jobs.generation.run import Display, generate
from jobs.spec import GenerateJob
from pipeline.errors import IntegrityError, OutputError, output_error
from pipeline.manifest import MANIFEST, Manifest, read_manifest
from pipeline.store import open_store

_IDENTITY_DIGITS = 16
_NOTICE_S = 0.5  # a wait that is shorter is not worth a word


def generate_cached(
    job: GenerateJob, cache: str | Path, display: Display, checkpoint: Callable[[], None] = lambda: None
) -> tuple[Manifest, str]:
    """Make the dataset of `job` below `cache`, or find it finished there; return its manifest and its own folder.

    Of two processes that want one dataset the second waits for the first. What an interrupted run left is gone on
    with.
    """
    job = job.with_absolute_paths()
    plan = make_plan(job, display.planning, kept=Kept(kept_bytes(job, choose_executor(job))))
    identity = draft(job, plan, current_environment(job)).identity
    folder = Path(cache).expanduser().resolve() / f"{job.name}-{identity[:_IDENTITY_DIGITS]}"
    with _alone(folder, display):
        found = _finished(folder, job, identity)
        made = found or generate(job.with_output(str(folder)), display=display, checkpoint=checkpoint, plan=plan)
    return made, str(folder)


def _finished(folder: Path, job: GenerateJob, identity: str) -> Manifest | None:
    store = open_store(folder)
    if not store.exists(MANIFEST):
        return None
    manifest = read_manifest(store)
    if manifest.identity != identity:
        raise IntegrityError(f"{folder}: holds dataset {manifest.identity}, not {identity}; remove that folder")
    return None if "ffcv" in job.output.formats and manifest.beton is None else manifest


@contextmanager
def _alone(folder: Path, display: Display) -> Iterator[None]:
    """Hold the place of a dataset, which need not be there yet, against other processes."""
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=_NOTICE_S)
        except Timeout:
            display.step(f"waiting for another process, which makes {folder.name}")
            lock.acquire()
    except OSError as error:
        raise output_error(error, str(folder)) or OutputError(f"cannot write to {folder}: {error}") from error
    try:
        yield
    finally:
        lock.release()
