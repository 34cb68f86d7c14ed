"""Get the folder of an analysis ready: list its images, know its identity, or find that this job began it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import ValidationError

from jobs.analysis.frequencies import distinct_frequencies
from jobs.analysis.images import SourceImages, list_images
from jobs.analysis.inputs import INPUTS, gather, store_inputs
from jobs.analysis.results import UsedSurrogate
from jobs.analysis.sensitivity import block_ranges
from jobs.analysis.spec import AnalyzeJob, What
from jobs.analysis.subset import Chosen, choose
from jobs.generation.environment import processor
from jobs.generation.output import refuse_foreign
from pipeline.errors import IntegrityError, PassbandError
from pipeline.manifest import JOB, digest
from pipeline.options import StrictModel
from pipeline.store import Store

if TYPE_CHECKING:
    from pipeline.surrogate.model import Surrogate


class Envelope(StrictModel):
    """The content of ``job.yaml``: all that a worker needs beside the inputs.

    Attributes
    ----------
    samples, of : images looked at, and images of the source
    block : distinct frequencies a block
    inputs : sha256 of the inputs; None for the amplitude
    """

    format: Literal[1] = 1
    kind: Literal["analyze"] = "analyze"
    what: What
    identity: str
    fingerprint: str
    samples: int
    of: int
    shape: list[int]
    classes: list[str]
    surrogate: UsedSurrogate | None
    block: int
    key: int
    inputs: str | None
    environment: dict[str, str]
    job: dict[str, Any]

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Ranges of distinct frequencies, one a block, the same for every map."""
        return block_ranges(self.frequencies, self.samples, 1, self.block)

    @property
    def frequencies(self) -> int:
        """How many frequencies are distinct."""
        return len(distinct_frequencies(self.shape[1], self.shape[2]))


@dataclass(frozen=True)
class Draft:
    """An analysis that nothing is written of: its images, those that are looked at, and its envelope."""

    images: SourceImages
    chosen: Chosen
    envelope: Envelope


def draw_up(job: AnalyzeJob, what: What, progress: Callable[[int], None]) -> Draft:
    """List the images and check that the surrogate fits them.

    Raises
    ------
    PassbandError
        Everything a user can mend, by name: source, checkpoint, network, classes, image size, subset.
    """
    sha256 = hashlib.sha256(_weights(job)).hexdigest() if what == "sensitivity" else None  # before a long listing
    images = list_images(job, progress)
    blueprint, used = images.blueprint, None
    if sha256 is not None and job.surrogate is not None:
        surrogate_of(job, blueprint.classes, blueprint.shape, sha256)
        used = UsedSurrogate(network=job.surrogate.network, sha256=sha256)
    subset = job.subset if what == "sensitivity" else None
    chosen = choose(images.labels, images.indices, images.key, subset, len(blueprint.classes))
    batch = job.surrogate.batch if job.surrogate else 1
    frequencies = len(distinct_frequencies(*blueprint.shape[1:]))
    first, last = block_ranges(frequencies, len(chosen.rows), batch, job.compute.block)[0]
    envelope = Envelope(
        what=what,
        identity=digest(_identity_form(job, what, blueprint.identity, used)),
        fingerprint=blueprint.fingerprint,
        samples=len(chosen.rows),
        of=len(images.labels),
        shape=list(blueprint.shape),
        classes=list(blueprint.classes),
        surrogate=used,
        block=last - first,
        key=images.key,
        inputs=None,
        environment=environment(blueprint.environment, what),
        job=job.resolved(),
    )
    return Draft(images, chosen, envelope)


def _weights(job: AnalyzeJob) -> bytes:
    from pipeline.networks.network import checkpoint_file, read_checkpoint

    assert job.surrogate is not None
    return read_checkpoint(checkpoint_file(job.surrogate.checkpoint))


def surrogate_of(job: AnalyzeJob, classes: Sequence[str], shape: Sequence[int], sha256: str) -> "Surrogate":
    """Return the surrogate, of that sha256, for images of `classes` and `shape`.

    Raises
    ------
    NetworkError
        If it does not fit them; names what differs.
    IntegrityError
        If the checkpoint is another one by now.
    """
    from pipeline.surrogate.model import load_surrogate

    assert job.surrogate is not None
    weights = _weights(job)
    if (found := hashlib.sha256(weights).hexdigest()) != sha256:
        raise IntegrityError(f"{job.surrogate.checkpoint}: has sha256 {found}, the analysis began with {sha256}")
    return load_surrogate(weights, job.surrogate, classes=classes, shape=shape)


def environment(of_images: dict[str, str], what: What) -> dict[str, str]:
    """Return what the bits of a map depend on beside its job: torch chooses its code by the processor."""
    own = {"torch": version("torch"), "processor": processor()} if what == "sensitivity" else {}
    return dict(sorted((of_images | own).items()))


def _identity_form(job: AnalyzeJob, what: What, images: str, used: UsedSurrogate | None) -> dict[str, Any]:
    """Return what decides the maps: without places and compute."""
    form: dict[str, Any] = {"format": 1, "what": what, "name": job.name, "images": images, "scale": job.scale}
    if used is not None and job.surrogate is not None:
        model = job.surrogate.model_dump(exclude={"checkpoint"}) | {"sha256": used.sha256}
        form |= {"surrogate": model, "maps": sorted(job.maps), "norm": job.norm, "subset": job.subset}
    return form


def prepare(store: Store, job: AnalyzeJob, what: What, progress: Callable[[int], None]) -> tuple[Envelope, Draft]:
    """Return the envelope of the folder, written now or found there.

    Raises
    ------
    PassbandError
        If the folder holds anything else than what this job makes here; it names what differs.
    """
    there = read_envelope(store) if store.exists(JOB) else None
    if there is None:
        refuse_foreign(store)
    drawn = draw_up(job, what, progress)
    if there is None:
        there = drawn.envelope
    else:
        _refuse_other(there, drawn.envelope, store.uri)
    return there, drawn


def with_inputs(store: Store, envelope: Envelope, drawn: Draft, job: AnalyzeJob) -> Envelope:
    """Return the envelope with its inputs and itself stored; inputs that are there already are left."""
    if envelope.inputs is not None and store.exists(INPUTS):
        return envelope
    inputs = gather(drawn.images, drawn.chosen, "enhanced" in job.maps, job.compute.batch_size)
    sha256 = store_inputs(store, inputs)
    if envelope.inputs not in (None, sha256):
        raise IntegrityError(f"{store.uri}: its images are no longer those that it was begun with")
    changed = envelope.model_copy(update={"inputs": sha256})
    write_envelope(store, changed)
    return changed


def write_envelope(store: Store, envelope: Envelope) -> None:
    """Store ``job.yaml``."""
    store.put(JOB, yaml.safe_dump(envelope.model_dump(), sort_keys=False, allow_unicode=True).encode())


def read_envelope(store: Store) -> Envelope:
    """Read ``job.yaml``; raise PassbandError where it is another kind of output's, or damaged."""
    where = f"{store.uri}/{JOB}"
    try:
        given = yaml.safe_load(store.read(JOB))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise PassbandError(f"{where}: is damaged: {error}") from error
    if not isinstance(given, dict) or given.get("kind") != "analyze":
        raise PassbandError(f"{where}: is of a dataset or a training; choose another folder for the analysis")
    try:
        return Envelope.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise PassbandError(f"{where}: is damaged or of another version: {key}: {first['msg']}") from error


def _refuse_other(there: Envelope, here: Envelope, uri: str) -> None:
    if there.identity != here.identity:
        found = "; ".join(list(_differences(there, here))[:8]) or "its options"
        raise PassbandError(f"{uri}: holds an analysis of another job: {found}. Choose another output.uri")
    refuse_other_environment(there, here.environment, uri)


def refuse_other_environment(there: Envelope, here: dict[str, str], uri: str) -> None:
    """Raise PassbandError, naming what differs, unless blocks of this process have the very bits of the others."""
    keys = sorted(there.environment.keys() | here.keys())
    differing = [
        f"{key} {there.environment.get(key, 'absent')} (here {here.get(key, 'absent')})"
        for key in keys
        if there.environment.get(key) != here.get(key)
    ]
    if differing:
        raise PassbandError(
            f"{uri}: was begun with {', '.join(differing)}; blocks of two environments may differ in a last bit and "
            "are never mixed: resume in the first one, or choose another output"
        )


def _differences(there: Envelope, here: Envelope) -> Iterator[str]:
    old, new = _comparable(there), _comparable(here)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"{key} is {old.get(key)} there and {new.get(key)} here"


def _comparable(envelope: Envelope) -> dict[str, Any]:
    form = {key: value for key, value in envelope.job.items() if key not in ("compute", "output", "surrogate")}
    model = {key: value for key, value in (envelope.job["surrogate"] or {}).items() if key != "checkpoint"}
    form |= {f"surrogate.{key}": value for key, value in model.items()}
    if envelope.surrogate is not None:
        form["sha256 of the checkpoint"] = envelope.surrogate.sha256[:16]
    return form | {"what": envelope.what, "fingerprint of the source": envelope.fingerprint[:16]}
