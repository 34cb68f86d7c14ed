"""The last step of an analysis: maps, pictures, and the results that say it is done."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.envelope import Envelope
from passband.jobs.analysis.inputs import npz_bytes, read_inputs
from passband.jobs.analysis.ledger import Ledger
from passband.jobs.analysis.results import Analysis, MapSummary, summarize
from passband.jobs.analysis.sensitivity import error_map, mean_error
from passband.pipeline.layout import IMAGES, MAPS, RESULTS, SURROGATE
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import Store

Floats = NDArray[np.float64]
TITLES = {
    "original": "error rate, noise of one norm",
    "enhanced": "error rate, noise in proportion to the data",
    "amplitude": "mean amplitude of the data",
}
"""Map -> title of its picture, which is called NAME.png."""


def finish(store: Store, ledger: Ledger) -> Analysis:
    """Put the maps together from the records of all blocks, and write everything; results.json comes last."""
    envelope = ledger.envelope
    assert envelope.inputs is not None
    inputs, (_, height, width) = read_inputs(store, envelope.inputs), envelope.shape
    maps: dict[str, Floats] = {}
    summaries = []
    for name in ledger.maps:
        maps[name] = error_map(ledger.wrong(name), inputs.strata, height, width)
        error = mean_error(ledger.by_image(name), inputs.strata, inputs.labels, height * width)
        summaries.append(summarize(name, maps[name], error))
    records = ledger.done.values()
    seconds = sum(record.seconds for record in records)
    spent = sum(record.seconds * record.threads for record in records)
    share = sum(record.model_seconds for record in records) / spent if spent else None
    evaluations = ledger.frequencies * envelope.samples
    found = write(store, envelope, maps, summaries, seconds, share, evaluations)
    store.delete(IMAGES)
    store.delete(SURROGATE)
    return found


def write(
    store: Store,
    envelope: Envelope,
    maps: Mapping[str, Floats],
    summaries: Sequence[MapSummary],
    seconds: float,
    model_share: float | None = None,
    evaluations: int = 0,
) -> Analysis:
    """Write maps, (H, W) and centred, their pictures in one scale of colours, and the results."""
    content = npz_bytes(maps)
    store.put(MAPS, content)
    for name, picture in _pictures(maps).items():
        store.put(f"{name}.png", picture)
    found = Analysis(
        what=envelope.what,
        name=envelope.job["name"],
        identity=envelope.identity,
        samples=envelope.samples,
        of=envelope.of,
        shape=envelope.shape,
        surrogate=envelope.surrogate,
        maps=list(summaries),
        seconds=round(seconds, 3),
        model_share=None if model_share is None else round(model_share, 4),
        evaluations=evaluations,
        maps_sha256=hashlib.sha256(content).hexdigest(),
        environment=envelope.environment,
        job=envelope.job,
    )
    put_sealed(store, RESULTS, found.model_dump())
    return found


def _pictures(maps: Mapping[str, Floats]) -> dict[str, bytes]:
    from passband.jobs.drawing.heatmaps import heatmap_png  # matplotlib takes a while to import

    largest = max(float(values.max()) for values in maps.values())
    return {
        name: heatmap_png(
            values,
            largest=largest,
            logarithmic=name == "amplitude",
            title=name,
            label=TITLES[name],
        )
        for name, values in maps.items()
    }
