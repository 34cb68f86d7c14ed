"""Subspaces that a file of NumPy's spells out, by functions that span them."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from passband.jobs.common.jobfile import JobError
from passband.pipeline.attacks.subspaces import Spans, orthonormal


@dataclass(frozen=True)
class BasesFile:
    """What was read.

    Attributes
    ----------
    sha256 : of the file
    bases : of each subspace (S, D) float32, orthonormal
    """

    sha256: str
    bases: list[NDArray[np.float32]]


def read_bases(path: str, shape: tuple[int, int, int]) -> BasesFile:
    """Read functions, and make them orthonormal, subspace by subspace.

    Parameters
    ----------
    path : an .npy of (J, S, D), or an .npz of J arrays (S, D), which count in the order of their names
    shape : (C, H, W) of the images; D = H W: functions of one channel, of which each has its own; D = C H W: of all

    Raises
    ------
    JobError
        If it is neither, or they are not independent, or of another size; names the file.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise JobError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        bases = [orthonormal(functions) for functions in _arrays(content)]
        Spans(shape, bases)  # refuses functions of another size
    except ValueError as error:
        raise JobError(f"{path}: {error}") from error
    return BasesFile(hashlib.sha256(content).hexdigest(), bases)


def _arrays(content: bytes) -> list[NDArray[Any]]:
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        arrays = list(found) if isinstance(found, np.ndarray) else [found[name] for name in sorted(found.files)]
    except (ValueError, TypeError, EOFError, OSError, BadZipFile, KeyError) as error:
        raise ValueError(f"is no .npy or .npz of numbers: {error}") from error
    if not arrays or any(array.dtype.kind not in "fiu" or array.ndim != 2 for array in arrays):
        raise ValueError("allowed are an array (J, S, D), or an .npz of several (S, D)")
    return arrays
