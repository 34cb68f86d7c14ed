"""The arrays of an analysis: its maps, as ``maps.npz`` holds them, or what ``arrays.npz`` does."""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.comparison.results import AnalysisResults
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import ARRAYS, MAPS
from passband.pipeline.store import Store


def read_maps(store: Store, results: AnalysisResults) -> dict[str, NDArray[np.float64]]:
    """Return the maps that `results` tells of, (H, W), zero frequency at (H // 2, W // 2).

    Raises
    ------
    PassbandError
        If the file is missing or damaged, lacks a map, or a map has another shape than the images.
    """
    maps: dict[str, NDArray[Any]] = _read(store, MAPS, results.maps_sha256, [entry.name for entry in results.maps])
    for name, values in maps.items():
        if values.dtype.kind != "f" or list(values.shape) != results.shape[1:]:
            raise PassbandError(
                f"{store.uri}: {MAPS} is damaged: {name} is {values.dtype} of shape {list(values.shape)}, "
                f"not a map of the images' {results.shape[1:]}"
            )
    return maps


def read_arrays(
    store: Store, results: AnalysisResults, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[Any]]:
    """Return all arrays of another study; raise PassbandError where one of `shapes` is missing, or of another shape."""
    found = _read(store, ARRAYS, results.arrays_sha256)
    for name, shape in shapes.items():
        if name not in found or found[name].shape != shape or found[name].dtype.kind not in "fiub":
            has = f"is {found[name].dtype} of shape {list(found[name].shape)}" if name in found else "is missing"
            raise PassbandError(f"{store.uri}: {ARRAYS} is damaged: {name} {has}; it has the shape {list(shape)}")
    return found


def _read(store: Store, file: str, sha256: str | None, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, or those of `names`; raise PassbandError if it is missing or damaged."""
    if not store.exists(file):
        raise PassbandError(f"{store.uri}: has the results of an analysis but no {file}")
    content = store.read(file)
    if sha256 not in (None, found := hashlib.sha256(content).hexdigest()):
        raise PassbandError(f"{store.uri}: {file} is damaged: its sha256 is {found}, the results say {sha256}")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in (arrays.files if names is None else names)}
    except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise PassbandError(f"{store.uri}: {file} is damaged: {error}") from error
