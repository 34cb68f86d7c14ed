"""What the blocks of an analysis begin from, made once: the images that are looked at and the mean amplitude."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.amplitude import MeanAmplitude
from passband.jobs.analysis.images import SourceImages
from passband.jobs.analysis.subset import Chosen, Strata
from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import IMAGES
from passband.pipeline.store import Store

_KEPT = "kept-"
Keep = Callable[[NDArray[np.uint8], NDArray[np.uint32]], dict[str, NDArray[Any]]]
"""From the pixels of the images, (n, H, W, C), and their plan indices to arrays that are kept beside them, by name."""


@dataclass(frozen=True)
class Inputs:
    """Arrays as they are stored.

    Attributes
    ----------
    pixels : (n, H, W, C) uint8, the images that are looked at
    labels : (n,) int64
    indices : (n,) uint32
    strata : images of each class
    amplitude : (H, W) float64, mean over all images of the source, FFT layout; zeros where no map needs it
    kept : what a study keeps beside them, by name
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    indices: NDArray[np.uint32]
    strata: Strata
    amplitude: NDArray[np.float64]
    kept: dict[str, NDArray[Any]] = field(default_factory=dict)


def gather(images: SourceImages, chosen: Chosen, with_amplitude: bool, batch_size: int, keep: Keep) -> Inputs:
    """Read what is looked at, and for the mean amplitude all of the source; what `keep` returns is kept beside it."""
    channels, height, width = images.blueprint.shape
    rows, amplitude = chosen.rows, MeanAmplitude(height, width)
    place = np.full(len(images.labels), -1)
    place[rows] = np.arange(len(rows))
    pixels = np.empty((len(rows), height, width, channels), np.uint8)
    for positions, batch in images.batches(np.arange(len(place)) if with_amplitude else rows, batch_size):
        if with_amplitude:
            amplitude.add(batch)
        looked_at = place[positions] >= 0
        pixels[place[positions[looked_at]]] = batch[looked_at]
    found, indices = amplitude.value() if with_amplitude else np.zeros((height, width)), images.indices[rows]
    return Inputs(pixels, images.labels[rows], indices, chosen.strata, found, keep(pixels, indices))


def store_inputs(store: Store, inputs: Inputs) -> str:
    """Write the inputs; return their sha256."""
    content = npz_bytes(
        {
            "pixels": inputs.pixels,
            "labels": inputs.labels,
            "indices": inputs.indices,
            "sizes": inputs.strata.sizes,
            "taken": inputs.strata.taken,
            "amplitude": inputs.amplitude,
            **{f"{_KEPT}{name}": array for name, array in inputs.kept.items()},
        }
    )
    store.put(IMAGES, content)
    return hashlib.sha256(content).hexdigest()


def read_inputs(store: Store, sha256: str) -> Inputs:
    """Read the inputs back; raise IntegrityError if they are not those of `sha256`."""
    content = store.read(IMAGES)
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise IntegrityError(f"{store.uri}/{IMAGES}: has sha256 {found}, recorded is {sha256}")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        strata = Strata(arrays["sizes"], arrays["taken"])
        kept = {name.removeprefix(_KEPT): arrays[name] for name in arrays.files if name.startswith(_KEPT)}
        return Inputs(arrays["pixels"], arrays["labels"], arrays["indices"], strata, arrays["amplitude"], kept)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as the content of an .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:  # of no time of day
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
