"""Views that a dataset stores of the images that are looked at, read back."""

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.options import StoredOptions
from passband.jobs.common.jobfile import JobError
from passband.pipeline.loading import open_stream
from passband.pipeline.manifest import read_manifest
from passband.pipeline.problems import nearest
from passband.pipeline.store import open_store

CLEAN = "clean"
_BATCH = 256
Pixels = NDArray[np.uint8]


def check_dataset(where: str, options: StoredOptions, shape: tuple[int, int, int]) -> str:
    """Return the identity of a dataset that has these views.

    Parameters
    ----------
    where : key of the job file, for errors
    shape : (C, H, W) of the images that are looked at

    Raises
    ------
    PassbandError
        If it is no finished dataset, its images have another shape, or it lacks one of the views.
    """
    manifest = read_manifest(open_store(options.path))
    if tuple(manifest.shape) != shape:
        raise JobError(f"{where}.path: images of {options.path} are {manifest.shape}, those of the job {list(shape)}")
    known = [view.name for view in manifest.views if view.dtype == "uint8"]
    for name in options.views:
        if name not in known:
            told = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
            raise JobError(f"{where}.views: got {name!r}; allowed{nearest(name, known)}: views of pixels, {told}")
    return manifest.identity


def read_views(where: str, options: StoredOptions, pixels: Pixels, indices: NDArray[np.uint32]) -> dict[str, Pixels]:
    """Return the views of the images that are looked at, all in memory: name -> (n, H, W, C) uint8.

    Parameters
    ----------
    pixels : (n, H, W, C) uint8, the images; what the dataset stores as clean must be the same
    indices : (n,) of their plan

    Raises
    ------
    PassbandError
        If the dataset is of other images.
    """
    rows = {int(index): row for row, index in enumerate(indices)}
    found, alike = {name: np.zeros_like(pixels) for name in options.views}, 0
    views = list(dict.fromkeys([CLEAN, *options.views]))
    with open_stream(
        options.path, views=views, batch_size=_BATCH, rank=0, world_size=1, shuffle=False, drop_last=False, workers=1
    ) as stream:
        for batch in stream:
            places = [place for place, index in enumerate(batch.indices.tolist()) if index in rows]
            chosen = [rows[int(batch.indices[place])] for place in places]
            read = {name: images[places].permute(0, 2, 3, 1).numpy() for name, images in batch.images.items()}
            alike += int((read[CLEAN] == pixels[chosen]).all((1, 2, 3)).sum())
            for name, view in found.items():
                view[chosen] = read[name]
    if alike < len(pixels):
        raise JobError(
            f"{where}.path: clean images of {options.path} are not those of the job ({alike:,} of {len(pixels):,} "
            "are): source, image, base and seed must be those that it was made with, in an encoding that loses nothing"
        )
    return found
