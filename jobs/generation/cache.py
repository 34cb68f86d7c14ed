"""Datasets by what they are: a folder of a cache is named after the identity, so that it is made once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from jobs.generation.blueprint import Blueprint, draft
from jobs.generation.environment import choose_executor, current_environment
from jobs.generation.kept import Kept
from jobs.generation.memory import kept_bytes
from jobs.generation.plan import Plan, make_plan
from jobs.generation.run import ONLY_SIZES, Display, generate
from jobs.report.wording import count
from jobs.spec import GenerateJob
from pipeline.errors import IntegrityError, OutputError, output_error
from pipeline.home import expanded
from pipeline.manifest import JOB, MANIFEST, Manifest, check_file, read_manifest
from pipeline.store import open_store

_IDENTITY_DIGITS = 16
_NOTICE_S = 0.5  # a wait that is shorter is not worth a word


def generate_cached(
    job: GenerateJob,
    cache: str | Path,
    display: Display,
    checkpoint: Callable[[], None] = lambda: None,
    *,
    trust: bool = False,
) -> tuple[Manifest, str]:
    """Make the dataset of `job` below `cache`, or find it finished there; return its manifest and its own folder.

    Of two processes that want one dataset the second waits for the first. What an interrupted run left is resumed.
    With `trust` sizes are all that is compared of what is there.
    """
    job = job.with_absolute_paths()
    job, identity, folder, plan = _place(job, Path(expanded(cache)).resolve(), display)
    with _alone(folder, display):
        found = _finished(folder, job, identity)
        if found is not None and trust:
            display.step(f"{ONLY_SIZES} of {count(len(found.shards), 'shard')} made before")
        if found is None or not trust or _differs_in_size(folder, found):
            placed = job.with_output(str(folder))
            found = generate(placed, display=display, checkpoint=checkpoint, plan=plan, trust=trust)
    return found, str(folder)


def _place(job: GenerateJob, cache: Path, display: Display) -> tuple[GenerateJob, str, Path, Plan]:
    """Return a dataset's job, as once read if it was begun then, its identity, folder and plan."""
    plan = make_plan(job, display.planning, kept=Kept(kept_bytes(job, choose_executor(job))))
    environment = current_environment(job)
    drafted = draft(job, plan, environment)
    before = draft(job.as_once_read(), plan, environment, known=drafted.inputs)
    there = [(found, _folder(cache, found)) for found in (before, drafted)]
    chosen, folder = next(((found, folder) for found, folder in there if (folder / JOB).exists()), there[-1])
    return chosen.job, chosen.identity, folder, plan


def _folder(cache: Path, drafted: Blueprint) -> Path:
    return cache / f"{drafted.job.name}-{drafted.identity[:_IDENTITY_DIGITS]}"


def _finished(folder: Path, job: GenerateJob, identity: str) -> Manifest | None:
    store = open_store(folder)
    if not store.exists(MANIFEST):
        return None
    try:
        manifest = read_manifest(store)
    except IntegrityError:  # a run makes it again, or says what is wrong
        return None
    if manifest.identity != identity:
        raise IntegrityError(f"{folder}: holds dataset {manifest.identity}, not {identity}; remove that folder")
    return None if "ffcv" in job.output.formats and manifest.beton is None else manifest


def _differs_in_size(folder: Path, manifest: Manifest) -> bool:
    store = open_store(folder)
    files = [file for shard in manifest.shards for file in (shard.tar, shard.provenance, shard.record)]
    files += [] if manifest.beton is None else [manifest.beton]
    return any(problem for file in files for problem in check_file(store, file, None, hashes=False))


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
