"""The steps of a batch of PRIME views as kernels read them: one record of 32 bytes a step."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.kernels.philox import split_key
from passband.kernels.prime_steps import IDENTITY, SPATIAL, PrimeSteps

RECORD = np.dtype(
    [
        ("kind", "<i4"),
        ("row", "<i4"),
        ("index", "<u4"),
        ("stage", "<u4"),
        ("strength", "<f4"),
        ("first", "<i4"),
        ("last", "<i4"),
        ("reach", "<i4"),
    ]
)
"""``Step`` of ``prime_step.cuh``."""

Records = NDArray[np.void]


def pack(steps: PrimeSteps, height: int, width: int) -> Records:
    """Return the records of checked steps, (n, m, s); a displacement that the grid cannot have is no step."""
    records = np.zeros(steps.kinds.shape, RECORD)
    records["kind"] = steps.kinds
    if min(height, width) < 3:
        records["kind"][steps.kinds == SPATIAL] = IDENTITY
    records["row"] = np.arange(len(records))[:, None, None]
    records["index"] = np.asarray(steps.indices)[:, None, None]
    records["stage"] = steps.stages
    records["strength"] = steps.strengths
    records["first"] = steps.first
    records["last"] = np.minimum(steps.last, np.iinfo(np.int32).max)
    records["reach"] = np.sqrt(np.maximum(records["last"] - 1, 0).astype(np.float64))  # rounded down: of an integer
    return records


def address_of(steps: PrimeSteps) -> tuple[np.uint32, ...]:
    """Return what all streams share, as kernels take it: view, both words of the key."""
    return tuple(map(np.uint32, (steps.view, *split_key(steps.key))))


class Group(NamedTuple):
    """Steps of one kind that are taken at the same time: ``records[start:stop]`` of `in_order`."""

    chain: int
    slot: int
    kind: int
    start: int
    stop: int


def in_order(records: Records) -> tuple[Records, list[Group], NDArray[np.int32]]:
    """Sort the steps of a batch into groups; the identity takes none.

    Returns
    -------
    records : those that are not the identity, by chain, slot and kind
        Slot j has the j-th step that is not the identity of each image.
    groups : in the order of the records
    taken : (m, n) int32, how many steps each image takes in each chain
    """
    _, chains, depth = records.shape
    moving = records["kind"] != IDENTITY
    slots = np.cumsum(moving, axis=2) - 1
    keys = ((np.arange(chains)[:, None] * max(depth, 1) + slots) * 256 + records["kind"])[moving]
    order = np.argsort(keys, kind="stable")
    different, starts = np.unique(keys[order], return_index=True)
    stops = np.append(starts, len(keys))[1:]
    groups = [
        Group(int(key) // 256 // depth, int(key) // 256 % depth, int(key) % 256, int(start), int(stop))
        for key, start, stop in zip(different, starts, stops, strict=True)
    ]
    taken: Any = np.ascontiguousarray(moving.sum(axis=2, dtype=np.int32).T)
    return records[moving][order], groups, taken
