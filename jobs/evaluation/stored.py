"""Predictions kept beside the results, so that an evaluation that was interrupted goes on where it was."""

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from passband.jobs.training.predict import Predictions
from passband.pipeline.canonical import digest
from passband.pipeline.layout import PREDICTIONS
from passband.pipeline.store import Store

_COLUMNS = ("predicted", "labels", "groups", "indices")


class StoredPredictions:
    """Predictions by what they depend on: dataset, view, weights and adaptation.

    Parameters
    ----------
    checkpoint : sha256 of the weights
    adaptation : JSON, or None
    """

    def __init__(self, store: Store, checkpoint: str, adaptation: Any) -> None:
        self._store, self._checkpoint, self._adaptation = store, checkpoint, adaptation

    def read(self, dataset: str, view: str, how: Any = None) -> Predictions | None:
        """Return the predictions on a view of the dataset of this identity; None where there are none, or damaged.

        Parameters
        ----------
        how : JSON of what else they depend on: an attack on the images, a change of the weights; None is neither
        """
        name, key = self._place(dataset, view, how)
        if not self._store.exists(name):
            return None
        try:
            with np.load(io.BytesIO(self._store.read(name)), allow_pickle=False) as arrays:
                columns = [arrays[column] for column in _COLUMNS]
                whole = str(arrays["key"]) == key and all(
                    column.dtype == np.int64 and column.shape == columns[0].shape for column in columns
                )
        except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
            return None  # RuntimeError: a damaged flag says encrypted, or a method that zipfile does not know
        return Predictions(*columns) if whole else None

    def write(self, dataset: str, view: str, predictions: Predictions, how: Any = None) -> None:
        """Store the predictions on a view."""
        name, key = self._place(dataset, view, how)
        buffer = io.BytesIO()
        columns = {column: getattr(predictions, column) for column in _COLUMNS}
        np.savez_compressed(buffer, allow_pickle=False, key=np.array(key), **columns)
        self._store.put(name, buffer.getvalue())

    def _place(self, dataset: str, view: str, how: Any) -> tuple[str, str]:
        key = digest([dataset, view, self._checkpoint, self._adaptation, *([] if how is None else [how])])
        return f"{PREDICTIONS}/{view}-{key[:16]}.npz", key
