"""Get the folder of an analysis ready: list its images, know its identity, or find that this job began it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from passband.jobs.analysis.envelope import Envelope, environment, read_envelope, refuse_other, write_envelope
from passband.jobs.analysis.images import SourceImages, list_images
from passband.jobs.analysis.inputs import gather, store_inputs
from passband.jobs.analysis.results import UsedSurrogate
from passband.jobs.analysis.spec import AnalyzeJob, What, uses_surrogate
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.analysis.study import Layout, Looked
from passband.jobs.analysis.subset import Chosen, choose
from passband.jobs.dataset.output import refuse_foreign
from passband.pipeline.canonical import digest
from passband.pipeline.errors import IntegrityError
from passband.pipeline.hashed import HashedFile
from passband.pipeline.layout import IMAGES, JOB, SURROGATE
from passband.pipeline.networks.checkpoint import read_checkpoint
from passband.pipeline.store import Store

if TYPE_CHECKING:
    from passband.pipeline.surrogate.model import Surrogate


@dataclass(frozen=True)
class Draft:
    """An analysis that nothing is written of: its images, those that are looked at, its work, and its envelope."""

    images: SourceImages
    chosen: Chosen
    layout: Layout
    envelope: Envelope


def draw_up(job: AnalyzeJob, what: What, progress: Callable[[int], None]) -> Draft:
    """List the images and check that the surrogate fits them.

    Raises
    ------
    PassbandError
        Everything a user can mend, by name: source, checkpoint, network, classes, image size, subset.
    """
    sha256 = _weights(job).sha256 if uses_surrogate(what) else None  # before a long listing
    images, used = list_images(job, progress), None
    images = images.readable(job.compute.batch_size) if job.bad_images else images
    if sha256 is not None and job.surrogate is not None:
        surrogate_of(job, images.blueprint.classes, images.blueprint.shape, sha256)
        used = UsedSurrogate(network=job.surrogate.network, sha256=sha256)
    subset = job.subset if what in STUDIES else None
    chosen = choose(images.labels, images.indices, images.key, subset, len(images.blueprint.classes))
    looked = Looked(len(chosen.rows), images.blueprint.shape, tuple(images.blueprint.classes))
    layout = STUDIES[what].load().lay_out(job, looked) if what in STUDIES else Layout({}, 1, {"scale": job.scale})
    return Draft(images, chosen, layout, _envelope(job, what, images, used, layout, len(chosen.rows)))


def _envelope(
    job: AnalyzeJob, what: What, images: SourceImages, used: UsedSurrogate | None, layout: Layout, samples: int
) -> Envelope:
    blueprint = images.blueprint
    return Envelope(
        what=what,
        identity=digest(_identity_form(job, what, blueprint.identity, used) | layout.form),
        fingerprint=blueprint.fingerprint,
        samples=samples,
        of=len(images.labels),
        shape=list(blueprint.shape),
        classes=list(blueprint.classes),
        surrogate=used,
        block=layout.block,
        parts=layout.sizes or None,
        key=images.key,
        inputs=None,
        environment=environment(blueprint.environment, job, what),
        job=job.resolved(),
    )


def _weights(job: AnalyzeJob) -> HashedFile:
    assert job.surrogate is not None
    return read_checkpoint(job.surrogate.file(), job.surrogate.sha256)


def surrogate_of(
    job: AnalyzeJob, classes: Sequence[str], shape: Sequence[int], sha256: str, weights: bytes | None = None
) -> "Surrogate":
    """Return the surrogate, of that sha256, for images of `classes` and `shape`.

    Parameters
    ----------
    weights : content of its checkpoint; None: read from its place

    Raises
    ------
    NetworkError
        If it does not fit them; names what differs.
    IntegrityError
        If the checkpoint is another one by now.
    """
    from passband.pipeline.surrogate.loading import load_surrogate

    assert job.surrogate is not None
    weights = _weights(job).content if weights is None else weights
    if (found := hashlib.sha256(weights).hexdigest()) != sha256:
        raise IntegrityError(f"{job.surrogate.checkpoint}: has sha256 {found}, the analysis began with {sha256}")
    return load_surrogate(weights, job.surrogate, classes=classes, shape=shape)


def _identity_form(job: AnalyzeJob, what: What, images: str, used: UsedSurrogate | None) -> dict[str, Any]:
    """Return what decides the results of any analysis: without places and compute."""
    form: dict[str, Any] = {"format": 1, "what": what, "name": job.name, "images": images}
    if used is not None and job.surrogate is not None:
        model = job.surrogate.model_dump(exclude={"checkpoint"}) | {"sha256": used.sha256}
        form["surrogate"] = model
    return form | ({"subset": job.subset} if what in STUDIES else {})


def model_of(
    job: AnalyzeJob, envelope: Envelope, weights: Callable[[], bytes | None] = lambda: None
) -> "Surrogate | None":
    """Return the surrogate of an analysis, None where it looks at none; see `surrogate_of`."""
    if envelope.surrogate is None:
        return None
    return surrogate_of(job, envelope.classes, envelope.shape, envelope.surrogate.sha256, weights())


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
        refuse_other(there, drawn.envelope, store.uri)
    return there, drawn


def with_inputs(store: Store, envelope: Envelope, drawn: Draft, job: AnalyzeJob) -> Envelope:
    """Return the envelope with its inputs and itself stored; inputs that are there already are left."""
    needed = [IMAGES] if envelope.surrogate is None else [IMAGES, SURROGATE]
    if envelope.inputs is not None and all(map(store.exists, needed)):
        return envelope
    if envelope.surrogate is not None:
        store.put(SURROGATE, _weights(job).content)
    layout = drawn.layout
    inputs = gather(drawn.images, drawn.chosen, layout.with_amplitude, job.compute.batch_size, layout.keep)
    sha256 = store_inputs(store, inputs)
    if envelope.inputs not in (None, sha256):
        raise IntegrityError(f"{store.uri}: its images are no longer those that it was begun with")
    changed = envelope.model_copy(update={"inputs": sha256})
    write_envelope(store, changed)
    return changed
