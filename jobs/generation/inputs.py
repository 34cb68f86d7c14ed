"""The files that stages read beside images: hashed into the identity, and kept below OUT/inputs.

With its own copy a dataset resumes, repairs and runs on other machines whatever becomes of the checkpoint's first
place. A sensitivity map that a job asks for is computed when the dataset is planned, and kept there too.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from jobs.spec import GenerateJob
from pipeline.augment import AUGMENTATIONS
from pipeline.augment.base import ComputedMap, InputFile
from pipeline.errors import IntegrityError, PassbandError
from pipeline.manifest import Problem, StoredInput, check_file, digest
from pipeline.store import Store

FOLDER = "inputs"
Contents = Mapping[str, bytes]
"""Reference -> content."""
Step = Callable[[str], None]


class InputError(PassbandError):
    """A file that a stage needs and that cannot be read, or that does not fit the data."""


def stages_of(job: GenerateJob) -> Iterator[tuple[str, str, Any]]:
    """Return (view or "base", stage, options) of every stage of a job."""
    for view, recipe in [("base", job.base_recipe()), *job.view_recipes()]:
        for stage, options in recipe:
            yield view, stage, options


def read_files(job: GenerateJob, known: Sequence[StoredInput] = ()) -> tuple[StoredInput, ...]:
    """Return the files that the stages of `job` name, hashed.

    Parameters
    ----------
    known : what a dataset keeps; a file that is gone from its place counts as what it was

    Raises
    ------
    InputError
        If a file cannot be read and is not known.
    """
    kept = {entry.reference: entry for entry in known}
    paths = dict.fromkeys(
        wanted.path
        for _, stage, options in stages_of(job)
        for wanted in AUGMENTATIONS[stage].inputs(options).values()
        if isinstance(wanted, InputFile)
    )
    return tuple(_read_file(path, kept.get(path)) for path in paths)


def _read_file(path: str, kept: StoredInput | None) -> StoredInput:
    try:
        content = _file(path).read_bytes()
    except OSError as error:
        if kept is not None:
            return kept
        raise InputError(f"cannot read {_file(path)}, which a stage of the job needs: {error.strerror}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"{FOLDER}/{sha256[:16]}{PurePosixPath(_file(path).name).suffix}"
    return StoredInput(reference=path, name=name, bytes=len(content), sha256=sha256)


def _file(path: str) -> Path:
    """Return the file that a path names: itself, or the ``model.pt`` of a training's folder."""
    place = Path(path).expanduser()
    return place / "model.pt" if place.is_dir() else place


def hashes(inputs: Sequence[StoredInput]) -> dict[str, str]:
    """Return reference -> sha256."""
    return {entry.reference: entry.sha256 for entry in inputs}


def map_reference(wanted: ComputedMap, files: Sequence[StoredInput]) -> str:
    """Return what names a computed map: its kind and all that it is computed from, wherever the checkpoint lies."""
    surrogate = wanted.surrogate.model_dump(mode="json") | {"checkpoint": hashes(files)[wanted.surrogate.checkpoint]}
    told = digest([wanted.kind, surrogate, wanted.sensitivity.model_dump(mode="json")])
    return f"{wanted.kind} map {told[:16]}"


def by_role(stage: str, options: Any, inputs: Sequence[StoredInput], contents: Contents) -> dict[str, bytes]:
    """Return role -> content of what one stage reads, as far as it is there."""
    references = {
        role: wanted.path if isinstance(wanted, InputFile) else map_reference(wanted, inputs)
        for role, wanted in AUGMENTATIONS[stage].inputs(options).items()
    }
    return {role: contents[reference] for role, reference in references.items() if reference in contents}


def check_inputs(job: GenerateJob, shape: tuple[int, int, int], classes: Sequence[str]) -> None:
    """Raise InputError, naming view and stage, unless the files of a job fit its images."""
    files = read_files(job)
    contents = {entry.reference: _file(entry.reference).read_bytes() for entry in files}
    for view, stage, options in stages_of(job):
        try:
            found = by_role(stage, options, files, contents)
            AUGMENTATIONS[stage].check_inputs(options, shape, classes, found)
        except (ValueError, PassbandError) as error:
            raise InputError(f"{view}: {stage}: {error}") from error


def keep_inputs(store: Store, job: GenerateJob, files: Sequence[StoredInput], step: Step) -> tuple[StoredInput, ...]:
    """Copy the files to the output and compute its maps; return all that is kept there.

    What is there and as it should be is left alone.
    """
    for entry in files:
        if any(check_file(store, entry, None)):
            store.put(entry.name, _content(entry))
    maps = {
        map_reference(wanted, files): wanted
        for _, stage, options in stages_of(job)
        for wanted in AUGMENTATIONS[stage].inputs(options).values()
        if isinstance(wanted, ComputedMap)
    }
    return (*files, *(_compute(store, job, reference, wanted, step) for reference, wanted in maps.items()))


def _content(entry: StoredInput) -> bytes:
    try:
        content = _file(entry.reference).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {_file(entry.reference)}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise IntegrityError(f"{_file(entry.reference)}: is not the file {entry.sha256} that the dataset began with")
    return content


def _compute(store: Store, job: GenerateJob, reference: str, wanted: ComputedMap, step: Step) -> StoredInput:
    """Compute a map of the job's own clean images, by its own executor; a computation that was begun goes on."""
    from jobs.analysis.results import MAPS_FILE, RESULTS
    from jobs.analysis.run import analyze
    from jobs.analysis.spec import AnalyzeJob

    step(f"computing the {wanted.kind} sensitivity map")
    folder = f"{FOLDER}/{reference.replace(' ', '-')}"
    compute = job.compute.model_dump()
    given = {
        "kind": "analyze",
        "name": reference.replace(" ", "-"),
        "seed": job.seed,
        "source": [entry.model_dump() for entry in job.source],
        "image": job.image.model_dump(),
        "base": [{stage: options.model_dump()} for stage, options in job.base_recipe()],
        "surrogate": wanted.surrogate.model_dump(),
        "maps": [wanted.kind],
        **wanted.sensitivity.model_dump(),
        "output": {"uri": f"{store.uri}/{folder}"},
        "compute": {key: compute[key] for key in ("batch_size", "executor", "workers", "address", "threads")},
    }
    if store.exists(f"{folder}/{RESULTS}"):
        store.delete(f"{folder}/{RESULTS}")  # then the map is put together again from its blocks
    analyze(AnalyzeJob.model_validate(given), "sensitivity")
    content = store.read(f"{folder}/{MAPS_FILE}")
    return StoredInput(
        reference=reference,
        name=f"{folder}/{MAPS_FILE}",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def load_inputs(store: Store, inputs: Sequence[StoredInput]) -> dict[str, bytes]:
    """Return the content of all that a dataset keeps, compared with its hashes."""
    contents = {}
    for entry in inputs:
        for problem in check_file(store, entry, None):
            raise IntegrityError(problem.message)
        contents[entry.reference] = store.read(entry.name)
    return contents


def check_kept(store: Store, inputs: Sequence[StoredInput]) -> Iterator[Problem]:
    """Yield a problem for every input that is not as recorded."""
    for entry in inputs:
        yield from check_file(store, entry, None)


def stand_ins(job: GenerateJob, shape: tuple[int, int, int]) -> dict[str, bytes]:
    """Return the files of a job, and blank maps for those that are not computed yet: for a dry run alone."""
    files = read_files(job)
    blank = io.BytesIO()
    np.savez(blank, enhanced=np.zeros(shape[1:]), original=np.zeros(shape[1:]))
    maps = [
        map_reference(wanted, files)
        for _, stage, options in stages_of(job)
        for wanted in AUGMENTATIONS[stage].inputs(options).values()
        if isinstance(wanted, ComputedMap)
    ]
    return {entry.reference: _content(entry) for entry in files} | dict.fromkeys(maps, blank.getvalue())
