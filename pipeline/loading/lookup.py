"""One sample of a dataset, by its index in the plan or by its key."""

import operator
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np
import torch

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.batch import outline
from passband.pipeline.loading.source import Opened
from passband.pipeline.records import BadSample

if TYPE_CHECKING:
    from passband.pipeline.loading.presenting import Presentation

_SHOWN_KEYS = 3


@dataclass(eq=False, repr=False)
class StreamSample:
    """A stored sample.

    Attributes
    ----------
    images : view name -> (C, H, W) uint8 tensor; float16 for views of range ``float``
    label, group : int
    class_name : str, of the label
    index : int, in the dataset's plan
    key : str
    """

    images: dict[str, torch.Tensor]
    label: int
    class_name: str
    group: int
    index: int
    key: str

    def __repr__(self) -> str:
        """Say shapes and types, and no pixel."""
        images = ", ".join(f"{name!r}: {outline(image)}" for name, image in self.images.items())
        return (
            f"StreamSample(key={self.key!r}, index={self.index}, label={self.label} ({self.class_name}), "
            f"group={self.group}, images={{{images}}})"
        )


def find_sample(opened: Opened, wanted: SupportsIndex | str, presentation: "Presentation") -> StreamSample:
    """Return the sample with this index (an integer) or key (a string); raise PassbandError if there is none."""
    reader, manifest = opened.reader, opened.manifest
    row = _row_of_key(opened, wanted) if isinstance(wanted, str) else _row_of_index(opened, wanted)
    rows = np.array([row])
    for unit in reader.units(rows):
        reader.prepare(unit, threading.Event())
    channels, height, width = manifest.shape
    pixels = {view.name: np.empty((1, height, width, channels), view.dtype) for view in opened.views}
    reader.fill(rows, pixels)
    images = {name: torch.from_numpy(array[0]).permute(2, 0, 1) for name, array in pixels.items()}
    label = int(reader.labels[row])
    return StreamSample(
        {name: presentation.wrapped(image.contiguous()) for name, image in images.items()},
        label,
        manifest.classes[label],
        int(reader.groups[row]),
        int(reader.indices[row]),
        reader.keys(rows)[0],
    )


def _row_of_index(opened: Opened, wanted: SupportsIndex) -> int:
    indices, name = opened.reader.indices, opened.manifest.name
    try:
        index = None if isinstance(wanted, bool) else operator.index(wanted)
    except TypeError:
        index = None
    if index is None:
        raise PassbandError(f"{wanted!r} names no sample; give its index as an integer or its key as a string")
    row = int(np.searchsorted(indices, index)) if 0 <= index <= int(indices[-1]) else len(indices)
    if row == len(indices) or indices[row] != index:
        _refuse_unreadable(opened, lambda bad: bad.index == index)
        raise PassbandError(f"{name} has no sample with index {index}; its indices are {indices[0]} to {indices[-1]}")
    return row


def _refuse_unreadable(opened: Opened, is_it: Callable[[BadSample], bool]) -> None:
    """Say why a sample of the plan is not in the dataset, if it is one that could not be read."""
    for bad in filter(is_it, opened.manifest.bad):
        raise PassbandError(
            f"{opened.manifest.name} has no sample {bad.key!r} (index {bad.index}): its image could not be read: "
            f"{bad.reason}"
        )


def _row_of_key(opened: Opened, key: str) -> int:
    """Return the row of a key; shard after shard, as the keys of all may be many."""
    shards = opened.reader.shards
    shown: list[str] = []
    for shard in np.unique(shards).tolist():
        rows = np.flatnonzero(shards == shard)
        keys = opened.reader.keys(rows)
        if key in keys:
            return int(rows[keys.index(key)])
        shown += keys[: _SHOWN_KEYS - len(shown)]
    _refuse_unreadable(opened, lambda bad: bad.key == key)
    like = ", ".join(map(repr, shown))
    hint = f"; an index is an integer, not a string: {key}" if key.isascii() and key.isdigit() else ""
    raise PassbandError(f"{opened.manifest.name} has no sample with key {key[:80]!r}; its keys are like {like}{hint}")
