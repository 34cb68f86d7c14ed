"""What a trained network says of images, of their low and of their high frequencies: Wang et al. 2020, figure 2."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from passband.jobs.common.wording import class_name, count, plain
from passband.jobs.drawing.sheet import Caption, drop_one, png_bytes
from passband.jobs.generation.inspect import Wanted, chosen_samples
from passband.kernels import cpu
from passband.pipeline.errors import PassbandError
from passband.pipeline.formats.sample import Sample
from passband.pipeline.manifest import read_manifest
from passband.pipeline.networks.network import Network, load_network
from passband.pipeline.records import Manifest
from passband.pipeline.store import Store

PARTS = ("image", "low", "high")
LOOKED_AT, ROWS = 1000, 8
"""Samples that are looked at for images of which the high frequencies alone decide, and how many are shown."""
_BATCH = 64


@dataclass(frozen=True)
class Said:
    """The likeliest class and its probability."""

    label: int
    probability: float


@dataclass(frozen=True)
class Row:
    """A sample whose views are the clean image and its two parts, and what the network says of each."""

    sample: Sample
    said: tuple[Said, ...]

    @property
    def turns(self) -> bool:
        """Whether the low frequencies are taken for something else than the image."""
        return self.said[1].label != self.said[0].label

    @property
    def high_decides(self) -> bool:
        """Whether they are, and the high frequencies are taken for what the image is."""
        return self.turns and self.said[2].label == self.said[0].label


@dataclass(frozen=True)
class Split:
    """What was found.

    Attributes
    ----------
    looked_at : samples
    turned, decided : how many of them are so that `Row.turns`, `Row.high_decides`
    rows : what is shown: of those that `Row.high_decides`, else that `Row.turns`, else any; or the sample asked for
    """

    radius: float
    classes: Sequence[str]
    looked_at: int
    turned: int
    decided: int
    rows: list[Row]


def split_frequencies(
    store: Store, model: str | Path, radius: float | None = None, rows: int = ROWS, wanted: Wanted | None = None
) -> Split:
    """Classify the clean images of a dataset, and their frequencies below and from `radius` on.

    Parameters
    ----------
    model : a training's folder, or its model.pt, of the dataset's classes and image size
    radius : in frequency bins; None: a quarter of the shorter side
    rows : samples that are chosen among the first 1,000, spread over the classes
    wanted : one sample, in place of those

    Raises
    ------
    PassbandError
        If the network does not fit the dataset, the radius is not above 0, or there is no such sample.

    Notes
    -----
    The network sees the parts as they are, unclipped, so that they add up to the image.
    """
    manifest = read_manifest(store)
    network = load_network(model, classes=manifest.classes, shape=manifest.shape)
    radius = min(manifest.shape[1:]) / 4 if radius is None else radius
    if not 0 < radius < math.inf:
        raise PassbandError(f"--radius is {radius:g}; allowed: above 0, in frequency bins")
    if rows < 1:
        raise PassbandError(f"--rows is {rows}; allowed: 1 or more")
    samples = islice(chosen_samples(store, manifest, wanted), LOOKED_AT)
    return _choose(_classified(samples, network, radius), radius, manifest, rows)


def _choose(found: Iterable[Row], radius: float, manifest: Manifest, rows: int) -> Split:
    """Return `rows` of what was found, the most telling there are; holds no more of each kind at a time."""
    kinds: tuple[list[Row], ...] = ([], [], [])
    counts = [0, 0, 0]
    for row in found:
        for number, is_so in enumerate((row.high_decides, row.turns, True)):
            counts[number] += is_so
            if is_so:
                kinds[number].append(row)
                if len(kinds[number]) > rows:
                    _drop_one(kinds[number])
    shown = next((kind for kind in kinds if kind), [])
    shown = sorted(shown, key=lambda row: (row.sample.label, row.sample.index))
    return Split(radius, manifest.classes, counts[2], counts[1], counts[0], shown)


def _drop_one(rows: list[Row]) -> None:
    samples = [row.sample for row in rows]
    drop_one(samples)
    kept = {sample.index for sample in samples}
    rows[:] = [row for row in rows if row.sample.index in kept]


def _classified(samples: Iterable[Sample], network: Network, radius: float) -> Iterator[Row]:
    waiting = iter(samples)
    while batch := list(islice(waiting, _BATCH)):
        clean = np.stack([_in_unit_range(sample.views[0]) for sample in batch])
        parts = (clean, cpu.radial_filter(clean, 0.0, radius), cpu.radial_filter(clean, radius, math.inf))
        with torch.inference_mode():
            found = [network(torch.from_numpy(part)).softmax(1).max(1) for part in parts]
        low, high = _pixels(parts[1]), _pixels(parts[2] + np.float32(0.5))
        for row, sample in enumerate(batch):
            said = tuple(Said(int(best.indices[row]), float(best.values[row])) for best in found)
            views = [sample.views[0], low[row], high[row]]
            yield Row(Sample(sample.index, sample.key, sample.label, 0, -1, -1, views), said)


def _in_unit_range(view: NDArray[Any]) -> NDArray[np.float32]:
    scale = np.float32(255) if view.dtype == np.uint8 else np.float32(1)
    return np.ascontiguousarray(view.transpose(2, 0, 1), np.float32) / scale


def _pixels(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return images (N, C, H, W) as they are looked at: (N, H, W, C)."""
    return np.rint(images.clip(0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)


def split_sheet(found: Split) -> bytes:
    """Return the picture as PNG: a row a sample, what the network says below each part, in color where it differs."""
    captions = [
        [
            Caption(class_name(said.label, found.classes), f"{said.probability:.2f}", said.label != row.said[0].label)
            for said in row.said
        ]
        for row in found.rows
    ]
    names = ("image", f"below {found.radius:g}", f"from {found.radius:g}")
    return png_bytes([row.sample for row in found.rows], names, classes=found.classes, captions=captions)


def summary(found: Split) -> str:
    """Return in words how many images are as in the figure."""
    looked_at = count(found.looked_at, "sample")
    return (
        f"radius {found.radius:g}: of {looked_at}, the low frequencies of {found.turned:,} are taken for another class "
        f"than the image; of {found.decided:,} of these, the high frequencies are taken for the image's"
    )


def spell_split(found: Split) -> str:
    """Return the summary and a line a sample that is shown."""
    lines = [summary(found)]
    for row in found.rows:
        words = [
            f"{part} {class_name(said.label, found.classes)} {said.probability:.2f}"
            for part, said in zip(PARTS, row.said, strict=True)
        ]
        name = class_name(row.sample.label, found.classes)
        lines.append(f"sample {row.sample.index} ({plain(row.sample.key)}), {name}: {', '.join(words)}")
    return "\n".join(lines)


def split_values(found: Split) -> dict[str, Any]:
    """Return what was found as plain values."""
    return {
        "radius": found.radius,
        "looked_at": found.looked_at,
        "low_differs": found.turned,
        "high_decides": found.decided,
        "samples": [
            {"index": row.sample.index, "key": row.sample.key, "class": class_name(row.sample.label, found.classes)}
            | {
                part: {"class": class_name(said.label, found.classes), "probability": round(said.probability, 6)}
                for part, said in zip(PARTS, row.said, strict=True)
            }
            for row in found.rows
        ],
    }
