"""The files that stages read beside images: hashed into the identity, and kept below OUT/inputs.

With its own copy a dataset resumes, repairs and runs on other machines whatever becomes of the checkpoint's first
place. A sensitivity map that a job asks for is computed when the dataset is planned, and kept there too.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from passband.jobs.dataset.spec import GenerateJob
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.augment.base import ComputedMap, InputFile, InputFolder
from passband.pipeline.canonical import digest
from passband.pipeline.checking import Problem, check_file
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.hashed import read_hashed_file
from passband.pipeline.layout import INPUTS
from passband.pipeline.networks.checkpoint import checkpoint_file, without_hash
from passband.pipeline.records import StoredInput
from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.classfolders import SUFFIXES
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import Walk
from passband.pipeline.store import Store

Contents = Mapping[str, bytes]
"""Reference -> content."""


class InputError(PassbandError):
    """A file that a stage needs and that cannot be read, or that does not fit the data."""


def stages_of(job: GenerateJob) -> Iterator[tuple[str, str, Any]]:
    """Return (view or "base", stage, options) of every stage of a job."""
    for view, recipe in job.recipes():
        for stage, options in recipe:
            yield view, stage, options


def file_paths(job: GenerateJob) -> list[str]:
    """Return the paths of the files that the stages of a job name, each once."""
    return list(dict.fromkeys(entry.path for entry in _wanted(job) if isinstance(entry, InputFile)))


def folder_paths(job: GenerateJob) -> list[str]:
    """Return the paths of the folders of images that the stages of a job name, each once."""
    return list(dict.fromkeys(entry.path for entry in _wanted(job) if isinstance(entry, InputFolder)))


def is_file_of(job: GenerateJob, reference: str) -> bool:
    """Return whether a stage of a job reads what has this reference as a file, by itself or in a folder."""
    return reference in file_paths(job) or os.path.dirname(reference) in map(os.path.normpath, folder_paths(job))


def computed_maps(job: GenerateJob, files: Sequence[StoredInput]) -> dict[str, ComputedMap]:
    """Return reference -> the maps that have to be computed for a job."""
    return {map_reference(entry, files): entry for entry in _wanted(job) if isinstance(entry, ComputedMap)}


def _wanted(job: GenerateJob) -> Iterator[InputFile | InputFolder | ComputedMap]:
    for _, stage, options in stages_of(job):
        yield from AUGMENTATIONS[stage].inputs(options).values()


def read_files(job: GenerateJob, known: Sequence[StoredInput] = ()) -> tuple[StoredInput, ...]:
    """Return the files that the stages of `job` name, hashed.

    Parameters
    ----------
    known : what a dataset keeps; a file or folder that is gone from its place counts as what it was

    Raises
    ------
    InputError
        If a file cannot be read and is not known, or a folder has no image.
    """
    kept = {entry.reference: entry for entry in known}
    names = {entry.sha256: entry.name for entry in known}
    listed = (path for folder in folder_paths(job) for path in _list_folder(folder, known))
    found = [_read_file(path, kept.get(path)) for path in (*file_paths(job), *listed)]
    _refuse_other_hashes(job, hashes(found))
    return tuple(entry.model_copy(update={"name": names.get(entry.sha256, entry.name)}) for entry in found)


def _refuse_other_hashes(job: GenerateJob, found: Mapping[str, str]) -> None:
    for entry in _wanted(job):
        if isinstance(entry, InputFile) and entry.sha256 is not None and found[entry.path] != entry.sha256:
            raise InputError(f"{entry.path}: has sha256 {found[entry.path]}, the job says {entry.sha256}")


def notes_on_weights(job: GenerateJob) -> list[str]:
    """Return what a person is told of checkpoints that nothing gives a hash of, each once."""
    files = (entry for entry in _wanted(job) if isinstance(entry, InputFile) and entry.weights)
    told = (without_hash(entry.path, entry.sha256) for entry in files)
    return [note for note in dict.fromkeys(told) if note is not None]


def _list_folder(folder: str, known: Sequence[StoredInput]) -> list[str]:
    """Return the paths of the images in a folder, in order of their names."""
    try:
        items = Walk("of images", folder, (), Skipped()).scan()
    except SourceError as error:
        if kept := in_folder(folder, known):
            return [entry.reference for entry in kept]
        reason = getattr(error.__cause__, "strerror", error)
        raise InputError(f"cannot read the folder {folder}, which a stage of the job needs: {reason}") from error
    names = [item.name for item in items if not item.is_folder and item.name.lower().endswith(SUFFIXES)]
    if not names:
        raise InputError(f"{folder}: has no image, which a stage of the job needs; names end in {', '.join(SUFFIXES)}")
    return [os.path.join(os.path.normpath(folder), name) for name in names]


def _read_file(path: str, kept: StoredInput | None) -> StoredInput:
    try:
        file = read_hashed_file(checkpoint_file(path))
    except OSError as error:
        if kept is not None:
            return kept
        raise InputError(_unread(path, error)) from error
    name = f"{INPUTS}/{file.sha256[:16]}{checkpoint_file(path).suffix}"
    return StoredInput(reference=path, name=name, bytes=len(file.content), sha256=file.sha256)


def _unread(path: str, error: OSError) -> str:
    return f"cannot read {checkpoint_file(path)}, which a stage of the job needs: {error.strerror}"


def hashes(inputs: Sequence[StoredInput]) -> dict[str, str]:
    """Return reference -> sha256."""
    return {entry.reference: entry.sha256 for entry in inputs}


def contents_by_place(job: GenerateJob, inputs: Sequence[StoredInput]) -> dict[str, str | list[str]]:
    """Return what stands for each path that a job names: a file's sha256, or those of a folder in order of names."""
    found: dict[str, str | list[str]] = {path: f"sha256:{sha256}" for path, sha256 in hashes(inputs).items()}
    for folder in folder_paths(job):
        found[folder] = [f"sha256:{entry.sha256}" for entry in in_folder(folder, inputs)]
    return found


def in_folder(folder: str, inputs: Sequence[StoredInput]) -> list[StoredInput]:
    """Return the inputs that lie in a folder, in order of their names."""
    inside = (entry for entry in inputs if os.path.dirname(entry.reference) == os.path.normpath(folder))
    return sorted(inside, key=lambda entry: entry.reference)


def map_reference(wanted: ComputedMap, files: Sequence[StoredInput]) -> str:
    """Return what names a computed map: its kind and all that it is computed from, wherever the checkpoint lies."""
    checkpoint = hashes(files)[wanted.surrogate.checkpoint]
    surrogate = wanted.surrogate.model_dump(mode="json", exclude={"sha256"}) | {"checkpoint": checkpoint}
    told = digest([wanted.kind, surrogate, wanted.sensitivity.model_dump(mode="json")])
    return f"{wanted.kind} map {told[:16]}"


def by_role(stage: str, options: Any, inputs: Sequence[StoredInput], contents: Contents) -> dict[str, bytes]:
    """Return role -> content of what one stage reads, as far as it is there."""
    references: dict[str, str] = {}
    for role, wanted in AUGMENTATIONS[stage].inputs(options).items():
        if isinstance(wanted, InputFolder):
            files = in_folder(wanted.path, inputs)
            references |= {f"{role}/{os.path.basename(entry.reference)}": entry.reference for entry in files}
        else:
            references[role] = wanted.path if isinstance(wanted, InputFile) else map_reference(wanted, inputs)
    return {role: contents[reference] for role, reference in references.items() if reference in contents}


def check_inputs(
    job: GenerateJob, files: Sequence[StoredInput], shape: tuple[int, int, int], classes: Sequence[str], samples: int
) -> None:
    """Raise InputError, naming view and stage, unless the files of a job fit its images, and its subsets its source."""
    contents = read_contents(files)
    for view, stage, options in stages_of(job):
        try:
            found = by_role(stage, options, files, contents)
            AUGMENTATIONS[stage].check_inputs(options, shape, classes, found)
        except (ValueError, PassbandError) as error:
            raise InputError(f"{view}: {stage}: {error}") from error
    for wanted in computed_maps(job, files).values():
        try:
            wanted.sensitivity.check_stride(*shape[1:])
        except ValueError as error:
            raise InputError(f"sensitivity.{error}") from error
        subset = wanted.sensitivity.subset
        if subset is not None and subset > samples:
            raise InputError(f"sensitivity.subset is {subset:,}; allowed: up to the {samples:,} images of the source")


def read_content(entry: StoredInput) -> bytes:
    """Return the content of a file, read at its place and compared with its hash."""
    try:
        content = checkpoint_file(entry.reference).read_bytes()
    except OSError as error:
        raise InputError(_unread(entry.reference, error)) from error
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        file = checkpoint_file(entry.reference)
        raise IntegrityError(f"{file}: is not the file {entry.sha256} that the dataset began with")
    return content


def read_contents(files: Sequence[StoredInput]) -> dict[str, bytes]:
    """Return the content of files, read at their places and compared with their hashes."""
    return {entry.reference: read_content(entry) for entry in files}


def load_inputs(store: Store, inputs: Sequence[StoredInput]) -> dict[str, bytes]:
    """Return the content of all that a dataset keeps, compared with its hashes."""
    contents = {}
    for entry in inputs:
        for problem in check_file(store, entry, None):
            raise IntegrityError(problem.message)
        contents[entry.reference] = store.read(entry.name)
    return contents


def refuse_damaged_inputs(store: Store, inputs: Sequence[StoredInput], *, trust: bool) -> None:
    """Raise IntegrityError if an input that a dataset keeps is not as recorded; with `trust` sizes alone count."""
    for entry in inputs:
        for problem in check_file(store, entry, None, hashes=not trust):
            raise IntegrityError(f"{problem.message}; verify --repair makes it again")


def check_kept(store: Store, inputs: Sequence[StoredInput]) -> Iterator[Problem]:
    """Yield a problem for every input that is not as recorded, and for what lies there and is none."""
    for entry in inputs:
        yield from check_file(store, entry, None)
    for stray in sorted(set(store.names(INPUTS)) - {entry.name for entry in inputs}):
        yield Problem(None, stray, f"{store.uri}/{stray}: is no input of this dataset")


def stand_ins(job: GenerateJob, shape: tuple[int, int, int]) -> dict[str, bytes]:
    """Return the files of a job, and blank maps for those that are not computed yet: for a dry run alone."""
    files = read_files(job)
    blank = io.BytesIO()
    np.savez(blank, enhanced=np.zeros(shape[1:]), original=np.zeros(shape[1:]))
    maps = dict.fromkeys(computed_maps(job, files), blank.getvalue())
    return read_contents(files) | maps
