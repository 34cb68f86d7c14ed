"""What a card reads of the pixels: the beginning of a dataset, once, with bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from passband.jobs.drawing.sheet import LOOKED_AT, MAX_ROWS, choose_views, drop_one, shown_scale
from passband.jobs.drawing.thumbnails import ROOM, shrink
from passband.jobs.generation.card.spectra import MeanSpectra
from passband.pipeline.formats.sample import Sample
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.records import Manifest, ViewEntry
from passband.pipeline.store import Store

MAX_PIXELS = 16 << 20
"""Pixels, over all views, that spectra are averaged over: about two seconds of transforms."""
SPECTRUM_SIDE = 1024
"""Pixels of the longest side that spectra are of; of larger images, those in the middle."""
SHEET_PIXELS = 3 << 20
"""Pixels of the views on a contact sheet before they are reduced: bounds how long a card takes."""


@dataclass
class Look:
    """What was read of a dataset to be looked at.

    Attributes
    ----------
    views : the views that are shown, by number
    samples : those of the contact sheet, by class; their views are thumbnails of `views`
    scale : of the thumbnails, as `shown_scale` returns it
    spectra : of the shown views, over the samples that were read
    """

    views: list[ViewEntry]
    samples: list[Sample]
    spectra: MeanSpectra
    scale: int


def look_at(store: Store, manifest: Manifest) -> Look:
    """Read the first samples, up to 256 of them; add up their spectra and keep some for the contact sheet."""
    views, shape = choose_views(manifest.views), manifest.shape[1:]
    look = Look(views, [], MeanSpectra(), shown_scale(shape[0], shape[1], len(views), ROOM))
    pixels = manifest.shape[1] * manifest.shape[2] * len(look.views)
    rows = max(2, min(MAX_ROWS, SHEET_PIXELS // pixels))
    among = max(rows, min(LOOKED_AT, MAX_PIXELS // pixels))
    for sample in islice(all_samples(store, manifest), among):
        look.spectra.add([_middle(sample.views[view.number]) for view in look.views])
        look.samples.append(shrink(sample, look.views, look.scale))
        del sample  # of a large image, before the next is read
        if len(look.samples) > rows:
            drop_one(look.samples)
    look.samples.sort(key=lambda sample: (sample.label, sample.index))
    return look


def looked_side(length: int) -> int:
    """Return how many pixels of a side spectra are of."""
    return min(length, SPECTRUM_SIDE)


def _middle(view: NDArray[Any]) -> NDArray[Any]:
    (height, width), (top, left) = view.shape[:2], ((side - looked_side(side)) // 2 for side in view.shape[:2])
    return view[top : top + looked_side(height), left : left + looked_side(width)]


def all_samples(store: Store, manifest: Manifest) -> Iterator[Sample]:
    """Yield the samples of a dataset in plan order.

    Shards are not verified: to hash a whole one before its first sample would take longer than the card.
    """
    for shard in manifest.shards:
        yield from read_shard(store, manifest, shard, verify=False)
