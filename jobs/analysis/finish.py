"""The last step of an analysis: arrays, pictures, and the results that say it is done."""

import hashlib

from passband.jobs.analysis.envelope import Envelope
from passband.jobs.analysis.inputs import npz_bytes
from passband.jobs.analysis.ledger import Ledger
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.study import Findings
from passband.jobs.analysis.worker import open_material
from passband.pipeline.layout import IMAGES, MAPS, RESULTS, SURROGATE
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import Store


def finish(store: Store, ledger: Ledger) -> Analysis:
    """Put together the records of all blocks, and write everything; results.json comes last."""
    study = ledger.envelope.study()
    found = study.conclude(open_material(store, ledger.envelope), ledger.records())
    records = ledger.done.values()
    seconds = sum(record.seconds for record in records)
    spent = sum(record.seconds * record.threads for record in records if record.model_seconds is not None)
    share = sum(record.model_seconds or 0.0 for record in records) / spent if spent else None
    written = write(store, ledger.envelope, found, study.arrays, seconds, share)
    store.delete(IMAGES)
    store.delete(SURROGATE)
    return written


def write(
    store: Store, envelope: Envelope, found: Findings, name: str, seconds: float, model_share: float | None = None
) -> Analysis:
    """Write arrays, in a file of that name, pictures, and the results."""
    content = npz_bytes(found.arrays)
    store.put(name, content)
    for picture, png in found.pictures.items():
        store.put(picture, png)
    sha256 = hashlib.sha256(content).hexdigest()
    analysis = Analysis(
        what=envelope.what,
        name=envelope.job["name"],
        identity=envelope.identity,
        samples=envelope.samples,
        of=envelope.of,
        shape=envelope.shape,
        surrogate=envelope.surrogate,
        seconds=round(seconds, 3),
        model_share=None if model_share is None else round(model_share, 4),
        evaluations=found.evaluations,
        environment=envelope.environment,
        job=envelope.job,
        maps_sha256=sha256 if name == MAPS else None,
        arrays_sha256=None if name == MAPS else sha256,
        **found.numbers,
    )
    put_sealed(store, RESULTS, analysis.model_dump())
    return analysis
