"""Datasets by what they are: a folder of a cache is named after the identity, so that it is made once."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from passband.jobs.common.missing_datasets import DatasetError, Reference, job_file
from passband.jobs.common.wording import count
from passband.jobs.dataset.blueprint import Blueprint, draft
from passband.jobs.dataset.environment import choose_executor, current_environment
from passband.jobs.dataset.kept import Kept
from passband.jobs.dataset.memory import kept_bytes
from passband.jobs.dataset.plan import Plan, make_plan
from passband.jobs.dataset.spec import GenerateJob, load_job
from passband.jobs.generation.display import Display, SilentDisplay
from passband.jobs.generation.rehash import find_damaged
from passband.jobs.generation.run import ONLY_SIZES, generate
from passband.pipeline.checking import Problem, check_file
from passband.pipeline.errors import IntegrityError, OutputError, output_error
from passband.pipeline.formats import exports
from passband.pipeline.home import expanded
from passband.pipeline.layout import JOB, MANIFEST
from passband.pipeline.manifest import read_manifest
from passband.pipeline.records import Manifest, StoredFile
from passband.pipeline.store import Store, open_store

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

    Of two processes that want one dataset the second waits for the first. What an interrupted run left is resumed. A
    finished dataset is held against its hashes, with `trust` against its sizes alone, and used as it is where they
    fit, whatever libraries it was made with.
    """
    job = job.with_absolute_paths()
    job, identity, folder, plan = _place(job, Path(expanded(cache)).resolve(), display)
    with _alone(folder, display):
        found = _finished(folder, job, identity)
        if found is not None and trust:
            display.step(f"{ONLY_SIZES} of {count(len(found.shards), 'shard')} made before")
        if found is None or (
            _differs_in_size(folder, found) if trust else _differs(folder, found, display, checkpoint)
        ):
            placed = job.with_output(str(folder))
            found = generate(placed, display=display, checkpoint=checkpoint, plan=plan, trust=trust)
    return found, str(folder)


def find_cached(job: GenerateJob, cache: str | Path) -> str | None:
    """Return the folder below `cache` that holds the finished dataset of `job`; None where there is none.

    Nothing is made, and of a dataset that is there nothing is compared.
    """
    job, identity, folder, _ = _place(job.with_absolute_paths(), Path(expanded(cache)).resolve(), SilentDisplay())
    return None if _finished(folder, job, identity) is None else str(folder)


def find_made(references: Sequence[Reference], cache: str | Path) -> list[str]:
    """Return where each dataset lies, as `make_missing` does, and make none.

    Raises
    ------
    DatasetError
        If one is given by a job and not there yet.
    """
    with tempfile.TemporaryDirectory(prefix="passband-") as folder:
        return [
            reference.path or _found(reference.job, cache, Path(folder) / str(number))
            for number, reference in enumerate(references)
        ]


def _found(given: Any, cache: str | Path, folder: Path) -> str:
    job = load_job(job_file(given, folder))
    if (place := find_cached(job, cache)) is None:
        made_by = f"passband run {given} --cache {cache} makes it" if isinstance(given, str) else "the job makes it"
        raise DatasetError(f"the dataset {job.name} is not made yet, and a plan makes none; {made_by}")
    return place


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
    lacking = (form.name in job.output.formats and form.listed(manifest) is None for form in exports())
    return None if any(lacking) else manifest


def _differs_in_size(folder: Path, manifest: Manifest) -> bool:
    store = open_store(folder)
    files = [file for shard in manifest.shards for file in (shard.tar, shard.provenance)]
    return any(_problems(store, [*files, *_others(manifest)], hashes=False))


def _differs(folder: Path, manifest: Manifest, display: Display, checkpoint: Callable[[], None]) -> bool:
    """Tell whether any file of a finished dataset is not as its manifest says, by hashes."""
    store = open_store(folder)
    if any(_problems(store, _others(manifest), hashes=True)):
        return True
    return bool(find_damaged(store, manifest.shards, display.step, checkpoint))


def _others(manifest: Manifest) -> list[StoredFile]:
    """Return the files of a dataset beside shards and provenance."""
    packed = (file for form in exports() for file in form.files(manifest))
    return [*manifest.inputs, *(shard.record for shard in manifest.shards), *packed]


def _problems(store: Store, files: Iterable[StoredFile], *, hashes: bool) -> Iterator[Problem]:
    for file in files:
        yield from check_file(store, file, None, hashes=hashes)


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
