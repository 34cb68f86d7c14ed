"""Keeping with a dataset what its stages read beside images; a sensitivity map that is asked for is computed first."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from passband.jobs.analysis.display import StepDisplay
from passband.jobs.analysis.run import analyze
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.dataset.inputs import computed_maps, folder_paths, hashes, in_folder, read_content
from passband.jobs.dataset.spec import GenerateJob
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.augment.base import ComputedMap, InputFolder
from passband.pipeline.checking import check_file
from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import INPUTS, MAPS, RESULTS
from passband.pipeline.records import StoredInput
from passband.pipeline.store import Store


@dataclass(frozen=True)
class Keeper:
    """Keeps with a dataset what its stages read.

    Attributes
    ----------
    identity : of the dataset
    step : told how far a map is, now and then
    checkpoint : called after every part of a map; what it raises ends the run, and the next one goes on
    """

    store: Store
    job: GenerateJob
    identity: str
    step: Callable[[str], None] = lambda name: None
    checkpoint: Callable[[], None] = lambda: None

    def keep(self, files: Sequence[StoredInput], known: Sequence[StoredInput] = ()) -> tuple[StoredInput, ...]:
        """Copy the files and compute the maps; return all that is kept. What is as it should be is left alone.

        Parameters
        ----------
        known : what was kept before; a map that is computed again must be the one it was

        Raises
        ------
        InputError, IntegrityError
        """
        for entry in files:
            if any(check_file(self.store, entry, None)):
                self.store.put(entry.name, read_content(entry))
        before = {entry.reference: entry for entry in known}
        wanted = computed_maps(self.job, files)
        return (*files, *(self._map(name, wanted[name], files, before.get(name)) for name in wanted))

    def _map(
        self, reference: str, wanted: ComputedMap, files: Sequence[StoredInput], before: StoredInput | None
    ) -> StoredInput:
        if before is not None and not any(check_file(self.store, before, None)):
            return before
        folder = f"{INPUTS}/{reference.replace(' ', '-')}-{self.identity[:8]}"
        if before is not None:
            self.store.delete(f"{folder}/{RESULTS}")  # then the map is put together again from its blocks
        self._analyze(folder, wanted, files)
        content = self.store.read(f"{folder}/{MAPS}")
        sha256 = hashlib.sha256(content).hexdigest()
        if before is not None and sha256 != before.sha256:
            raise IntegrityError(
                f"{self.store.uri}/{folder}: the map made again has sha256 {sha256}, recorded is {before.sha256}; "
                "remove that folder and repair again"
            )
        return StoredInput(reference=reference, name=f"{folder}/{MAPS}", bytes=len(content), sha256=sha256)

    def _analyze(self, folder: str, wanted: ComputedMap, files: Sequence[StoredInput]) -> None:
        """Compute a map, by the job's own executor; one that was begun is resumed."""
        what = f"computing the {wanted.kind} sensitivity map"
        self.step(what)
        kept = {entry.reference: f"{self.store.uri}/{entry.name}" for entry in files}
        display = StepDisplay(lambda message: self.step(f"{what}: {message}"))
        with TemporaryDirectory(prefix="passband-") as place:
            again = {
                path: self._laid_out(path, files, place) for path in folder_paths(self.job) if not os.path.isdir(path)
            }
            checkpoint, uri = kept[wanted.surrogate.checkpoint], f"{self.store.uri}/{folder}"
            known = {"sha256": hashes(files)[wanted.surrogate.checkpoint]}  # no hash lies beside what is kept
            wanted = replace(wanted, surrogate=wanted.surrogate.model_copy(update=known))
            job = map_job(self.job, wanted, checkpoint, uri, again)
            analyze(job, "sensitivity", display=display, checkpoint=self.checkpoint)

    def _laid_out(self, path: str, files: Sequence[StoredInput], place: str) -> str:
        """Lay out what is kept of a folder that is gone, in the order of names, which is all that these decide."""
        laid = os.path.join(place, hashlib.sha256(path.encode()).hexdigest()[:16])
        os.mkdir(laid)
        for number, entry in enumerate(in_folder(path, files)):
            name = f"{number:06d}{PurePosixPath(entry.name).suffix}"
            Path(laid, name).write_bytes(self.store.read(entry.name))
        return laid


def map_job(
    job: GenerateJob, wanted: ComputedMap, checkpoint: str, uri: str, folders: Mapping[str, str] | None = None
) -> AnalyzeJob:
    """Return the analysis that computes a map of a job's own clean images.

    Parameters
    ----------
    checkpoint : where the surrogate is read
    uri : where the analysis writes
    folders : path of a folder that `base` names -> where it is read instead
    """
    compute = job.compute.model_dump()
    return AnalyzeJob.model_validate(
        {
            "kind": "analyze",
            "name": PurePosixPath(uri).name,
            "seed": job.seed,
            "source": [entry.model_dump() for entry in job.source],
            "image": job.image.model_dump(),
            "base": [{stage: _relocated(stage, options, folders or {})} for stage, options in job.base_recipe()],
            "bad_images": job.bad_images,
            "surrogate": wanted.surrogate.model_dump() | {"checkpoint": checkpoint},
            "maps": [wanted.kind],
            **wanted.sensitivity.model_dump(),
            "output": {"uri": uri},
            "compute": {key: compute[key] for key in ("batch_size", "executor", "workers", "address", "threads")},
        }
    )


def _relocated(stage: str, options: Any, folders: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a stage; one that names a folder has the name of the folder's role."""
    wanted = AUGMENTATIONS[stage].inputs(options).items()
    named = {role: entry.path for role, entry in wanted if isinstance(entry, InputFolder)}
    given: dict[str, Any] = options.model_dump()
    return given | {role: folders.get(path, path) for role, path in named.items()}
