"""The folder of a training: whose it is, and what it came to."""

from typing import Any

import yaml

from passband.jobs.common.jobfile import JobError, read_yaml
from passband.jobs.common.overwrite import Contents, claimed, clear_output
from passband.jobs.training.first_network import with_stem
from passband.jobs.training.spec import TrainJob
from passband.pipeline.documents import DocumentError
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.formats import place
from passband.pipeline.hashed import put_hashed, read_hashed
from passband.pipeline.layout import JOB, LOCK, MODEL, RESULTS, SHA256_SUFFIX
from passband.pipeline.manifest import read_manifest
from passband.pipeline.records import Manifest
from passband.pipeline.seals import put_sealed, read_sealed, sealed_text
from passband.pipeline.store import LocalStore, open_store

_OTHERS = {"generate": "a dataset", "analyze": "an analysis", "evaluate": "an evaluation"}
_ANEW = f"delete {MODEL}, {MODEL}{SHA256_SUFFIX} and {RESULTS} to train anew"
_NEEDED = {"identity": str, "steps": int, "loss": float, "accuracy": dict, "seconds": float, "samples_per_s": float,
           "waiting_share": float, "network": str, "parameters": int, "objective": str}  # fmt: skip
"""What every version has written, with its type."""


class OtherOutputError(PassbandError):
    """A folder that holds something else than the training that is to be written there."""


def output_folder(job: TrainJob) -> LocalStore:
    """Return the folder of a training; raise JobError where it is none. Nothing is made."""
    if "://" in job.output.uri:
        raise JobError(f"output.uri: {job.output.uri!r} is not local; a training writes to a folder")
    return LocalStore(job.output.uri)


def named(job: TrainJob, manifest: Manifest, store: LocalStore) -> tuple[TrainJob, str, bool]:
    """Return the job as it is trained on a dataset, its identity, and whether the folder holds it already.

    A training that was begun when a Wide ResNet had one stem for all sizes goes on with that.

    Raises
    ------
    OtherOutputError
        If the folder holds anything else; a longer training of the same job is another job.
    """
    job, first = with_stem(job, manifest.shape), job
    versions = (job,) if job is first else (job, first)
    spelled = {version.identity(manifest.identity): version for version in versions}
    found = _held(store, list(spelled))
    identity = found or next(iter(spelled))
    return spelled[identity], identity, found is not None


def _held(store: LocalStore, identities: list[str]) -> str | None:
    if store.exists(JOB):
        found = read_yaml(store.path(JOB))
        if isinstance(found, dict) and found.get("identity") in identities:
            return str(found["identity"])
        job = found.get("job") if isinstance(found, dict) else None
        what = _OTHERS.get(str(job.get("kind")) if isinstance(job, dict) else "", "another training")
        raise OtherOutputError(
            f"{store.uri}: holds {what}; choose another output.uri, or give --overwrite to replace it"
        )
    refuse_strange(store)
    return None


def refuse_strange(store: LocalStore) -> None:
    """Raise OtherOutputError if a folder holds files but no job."""
    strange = [name for name in store.names("") if name != LOCK]
    if strange and not store.exists(JOB):
        raise OtherOutputError(f"{store.uri}: holds {strange[0]} but no {JOB}; choose an empty folder for the output")


def claim(store: LocalStore, job: TrainJob, manifest: Manifest, *, overwrite: bool | Contents) -> None:
    """Make the folder this job's; what else is there is deleted first, where that was agreed to.

    Once all checks are through, and by the holder of the lock.
    """
    try:
        _, _, held = named(job, manifest, store)
    except OtherOutputError:
        if not overwrite:
            raise
        agreed = overwrite if isinstance(overwrite, Contents) else claimed(store)
        if agreed is not None:
            clear_output(store, agreed)
        held = False
    if not held:
        write_job(store, {"identity": job.identity(manifest.identity), "job": job.model_dump()})
    store.sweep()  # what a killed call of this left half written


def other_output(job: TrainJob) -> Contents | None:
    """Return what lies in the folder of `job`, if that is something else than this training; nothing is changed.

    Raises
    ------
    PassbandError
        If it is not ours to delete.
    """
    job = job.with_absolute_paths()
    store, path = output_folder(job), str(job.data.path).rstrip("/")
    manifest = read_manifest(open_store(place(path).folder))
    try:
        named(job, manifest, store)
    except OtherOutputError:
        return claimed(store)
    return None


def write_job(store: LocalStore, envelope: dict[str, Any]) -> None:
    """Write ``job.yaml``, with its digest."""
    store.put(JOB, sealed_text(yaml.safe_dump(envelope, sort_keys=False, allow_unicode=True).encode()))


def finished(store: LocalStore) -> dict[str, Any] | None:
    """Return what a finished training says, its network compared with its hash; None before the end.

    Raises
    ------
    IntegrityError
        If network or results are not what they were.
    """
    if not (store.exists(RESULTS) and store.exists(MODEL)):
        return None
    results = _read_results(store)
    found = read_hashed(store, MODEL, _ANEW)
    recorded = results.get("model_sha256", found.sha256)  # earlier trainings say nothing of it
    if recorded != found.sha256:
        raise IntegrityError(f"{store.uri}/{MODEL}: has sha256 {found.sha256}, {RESULTS} says {recorded}; {_ANEW}")
    return results


def _read_results(store: LocalStore) -> dict[str, Any]:
    where = f"{store.uri}/{RESULTS}"
    try:
        found = read_sealed(store, RESULTS, finite=False)
    except DocumentError as error:
        raise IntegrityError(f"{where}: is damaged: {error}; {_ANEW}") from error
    for key, kind in _NEEDED.items():
        if not isinstance(found.get(key), (int, float) if kind is float else kind):
            raise IntegrityError(f"{where}: is damaged: {key} is no {kind.__name__}; {_ANEW}")
    return found


def write_results(store: LocalStore, results: dict[str, Any]) -> None:
    """Write ``results.json``."""
    put_sealed(store, RESULTS, results)


def write_model(store: LocalStore, content: bytes) -> str:
    """Write the trained network with its hash beside it; return the hash."""
    return put_hashed(store, MODEL, content)
