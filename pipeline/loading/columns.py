"""Labels, groups and indices of all samples, held against what the manifest says of them as a whole."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.errors import IntegrityError
from passband.pipeline.records import Manifest

_FEW = 1 << 20
"""Numbers below this are counted by a table of so many places."""


def check_columns(
    manifest: Manifest, labels: NDArray[np.int64], groups: NDArray[np.int64], indices: NDArray[np.int64], where: str
) -> None:
    """Raise IntegrityError unless the samples can be those that the manifest counts.

    Parameters
    ----------
    labels, groups, indices : (N,) int64, in stored order
    where : what names the dataset or file in errors
    """
    for problem in _wrong_indices(manifest, indices):
        raise IntegrityError(f"{where}: {problem}")
    for kind, values, counts in (("label", labels, manifest.class_counts), ("group", groups, manifest.group_counts)):
        if not _are_counted(values, {int(key): count for key, count in counts.items() if count}):
            told = "class_counts" if kind == "label" else "group_counts"
            raise IntegrityError(f"{where}: the samples' {kind}s are not those that {told} of the manifest tells of")


def _wrong_indices(manifest: Manifest, indices: NDArray[np.int64]) -> Iterator[str]:
    """Yield what is wrong with the samples' numbers: every one of the plan is stored or listed as bad, in order."""
    if len(indices) != manifest.samples:
        yield f"holds {len(indices)} samples, the manifest says {manifest.samples}"
        return
    falling = np.flatnonzero(np.diff(indices) <= 0)
    if len(falling):
        first = int(falling[0])
        yield f"sample {indices[first + 1]} comes after {indices[first]}: indices must ascend"
        return
    planned, bad = manifest.samples + len(manifest.bad), np.array([entry.index for entry in manifest.bad], np.int64)
    if len(indices) and not 0 <= indices[0] <= indices[-1] < planned:
        yield f"samples have the indices {indices[0]} to {indices[-1]}, but {planned} were planned"
    stored = bad[np.isin(bad, indices)]
    if len(stored):
        yield f"sample {stored[0]} is stored, but the manifest lists it as bad"


def _are_counted(values: NDArray[np.int64], counts: Mapping[int, int]) -> bool:
    """Tell whether `values` hold every number as often as `counts` says, and no other."""
    if not len(values):
        return not counts
    if not counts or values.min() < 0 or values.max() > max(counts):
        return False
    if max(counts) < _FEW:
        found = np.bincount(values)
        return {number: int(found[number]) for number in np.flatnonzero(found).tolist()} == counts
    numbers, times = np.unique(values, return_counts=True)
    return dict(zip(numbers.tolist(), times.tolist(), strict=True)) == counts
