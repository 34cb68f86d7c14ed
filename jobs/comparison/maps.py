"""The maps of an analysis, as ``maps.npz`` holds them."""

import hashlib
import io
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from passband.jobs.comparison.results import AnalysisResults
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import MAPS
from passband.pipeline.store import Store


def read_maps(store: Store, results: AnalysisResults) -> dict[str, NDArray[np.float64]]:
    """Return the maps that `results` tells of, (H, W), zero frequency at (H // 2, W // 2).

    Raises
    ------
    PassbandError
        If the file is missing or damaged, lacks a map, or a map has another shape than the images.
    """
    if not store.exists(MAPS):
        raise PassbandError(f"{store.uri}: has the results of an analysis but no {MAPS}")
    content = store.read(MAPS)
    if results.maps_sha256 not in (None, found := hashlib.sha256(content).hexdigest()):
        raise PassbandError(
            f"{store.uri}: {MAPS} is damaged: its sha256 is {found}, the results say {results.maps_sha256}"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            maps: dict[str, NDArray[np.float64]] = {entry.name: arrays[entry.name] for entry in results.maps}
    except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise PassbandError(f"{store.uri}: {MAPS} is damaged: {error}") from error
    for name, values in maps.items():
        if values.dtype.kind != "f" or list(values.shape) != results.shape[1:]:
            raise PassbandError(
                f"{store.uri}: {MAPS} is damaged: {name} is {values.dtype} of shape {list(values.shape)}, "
                f"not a map of the images' {results.shape[1:]}"
            )
    return maps
