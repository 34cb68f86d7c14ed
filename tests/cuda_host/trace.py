"""Every access to memory of a launch, and what follows from them: bytes, sectors and bank conflicts.

Device memory is named by the parameter of the kernel that it was reached through.
"""

import ctypes
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tests.cuda_host.device import HostDevice, loaded
from tests.cuda_host.launches import Launched

RECORD = np.dtype([(field, "u8" if field == "offset" else "u4") for field in (
    "offset", "instruction", "thread", "block", "is_shared", "size", "is_write"
)], align=True)  # fmt: skip
"""``Record`` of ``trace.cpp``."""
SHARED = "shared memory"
BANKS, BANK_BYTES, SECTOR_BYTES = 32, 4, 32


class Trace(NamedTuple):
    """One launch and its accesses, in the order in which they were made.

    Attributes
    ----------
    arguments : parameter -> (address, bytes), of those that are arrays
    """

    launched: Launched
    records: np.ndarray
    arguments: dict[str, tuple[int, int]]


class Touched(NamedTuple):
    """How a launch used one array: distinct bytes, and the most accesses that one byte had."""

    size: int
    read_bytes: int
    written_bytes: int
    most_reads: int
    most_writes: int


class Cost(NamedTuple):
    """What the warps of a block ask of one memory.

    Attributes
    ----------
    requests : int, of whole warps
    transfers, least : int
        Of shared memory wavefronts, of device memory 32-byte sectors; `least` is what the bytes need.
    """

    requests: int
    transfers: int
    least: int


class TracingDevice(HostDevice):
    """The CPU as a device, with the trace of every launch in `traces`."""

    def __init__(self) -> None:
        super().__init__(sanitizer="trace")
        self.traces: list[Trace] = []

    def kernel(self, source, name, options=(), shared_bytes=0):
        """Return a kernel whose launches are traced."""
        launch, text = super().kernel(source, name, options, shared_bytes), self.read(source)
        function, names = loaded(text, name, tuple(options), self.sanitizer), parameters(text, name)

        def traced(grid, block, args, *, shared_mem=0):
            function.library.simt_trace_clear()
            launch(grid, block, args, shared_mem=shared_mem)
            ranges = {names[place]: found for place, found in function.ranges.items()}
            self.traces.append(Trace(Launched(*self.launches[-1]), _records(function.library), ranges))
            function.library.simt_trace_clear()

        return traced


def parameters(text: str, kernel: str) -> list[str]:
    """Return the names of a kernel's parameters."""
    found = re.search(rf"__global__[^;{{]*?\b{kernel}\s*\(([^)]*)\)", text)
    assert found, kernel
    return [parameter.split()[-1].lstrip("*") for parameter in found[1].split(",")]


def _records(library) -> np.ndarray:
    number = ctypes.c_uint64()
    library.simt_trace.restype = ctypes.c_void_p
    address = library.simt_trace(ctypes.byref(number))
    if not number.value:
        return np.empty(0, RECORD)
    return np.frombuffer((ctypes.c_char * (number.value * RECORD.itemsize)).from_address(address), RECORD).copy()


def touched(trace: Trace) -> dict[str, Touched]:
    """Return parameter -> how the launch used it."""
    device = trace.records[trace.records["is_shared"] == 0]
    return {name: _touched(device, *place) for name, place in trace.arguments.items()}


def _touched(records: np.ndarray, start: int, size: int) -> Touched:
    inside = records[(records["offset"] >= start) & (records["offset"] < start + size)]
    reads, writes = (_accesses(inside[inside["is_write"] == is_write], start, size) for is_write in (0, 1))
    most = [int(counts.max(initial=0)) for counts in (reads, writes)]
    return Touched(size, int((reads > 0).sum()), int((writes > 0).sum()), *most)


def _accesses(records: np.ndarray, start: int, size: int) -> np.ndarray:
    """Return how often each byte was accessed: sums of +1 where an access begins and -1 where it ends."""
    begins = (records["offset"] - np.uint64(start)).astype(np.int64)
    change = np.bincount(begins, minlength=size + 1)[: size + 1]
    change = change - np.bincount(begins + records["size"], minlength=size + 1)[: size + 1]
    return np.cumsum(change)[:size]


def costs(trace: Trace, block: int = 0) -> dict[tuple[str, str], Cost]:
    """Return (parameter or `SHARED`, "read" or "write") -> what the warps of one block ask for.

    Notes
    -----
    A request is the n-th time that the lanes of a warp come to an instruction. Shared memory has 32 banks of 4 bytes;
    8-byte accesses are served half a warp at a time. Arrays are taken to begin on a sector.
    """
    requests = defaultdict(list)
    turns: Counter[tuple[int, int]] = Counter()
    for instruction, thread, place, size, is_write, offset in _merged(trace, block):
        turns[thread, instruction] += 1
        key = place, is_write, size, thread // 32, instruction, turns[thread, instruction]
        requests[key].append(offset)
    totals: dict[tuple[str, str], Cost] = {}
    for (place, is_write, size, *_), offsets in requests.items():
        transfers, least = (_wavefronts if place == SHARED else _sectors)(offsets, size)
        key = place, "write" if is_write else "read"
        before = totals.get(key, Cost(0, 0, 0))
        totals[key] = Cost(before.requests + 1, before.transfers + transfers, before.least + least)
    return totals


def _merged(trace: Trace, block: int) -> Iterator[tuple[int, int, str, int, int, int]]:
    """Yield (instruction, thread, place, size, is_write, offset); the halves of a float2 are one access on a GPU."""
    last = None
    for access in _placed(trace, block):
        if last:
            instruction, thread, place, size, is_write, offset = last
            follows = access[1:5] == (thread, place, 4, is_write) and access[5] == offset + 4
            if follows and size == 4 and offset % 8 == 0:
                yield instruction, thread, place, 8, is_write, offset
                last = None
                continue
            yield last
        last = access
    if last:
        yield last


def _placed(trace: Trace, block: int) -> Iterator[tuple[int, int, str, int, int, int]]:
    records = trace.records[trace.records["block"] == block]
    for record in records[np.argsort(records["thread"], kind="stable")].tolist():
        offset, instruction, thread, _, is_shared, size, is_write = record
        place = SHARED if is_shared else None
        for name, (start, length) in trace.arguments.items():
            if not is_shared and start <= offset < start + length:
                place, offset = name, offset - start
                break
        if place is not None:  # else it is a table of the compiler's
            yield instruction, thread, place, size, is_write, offset


def _wavefronts(offsets: list[int], size: int) -> tuple[int, int]:
    lanes = BANKS * BANK_BYTES // max(size, BANK_BYTES)
    transfers = least = 0
    for start in range(0, len(offsets), lanes):
        part = offsets[start : start + lanes]
        words = {w for offset in part for w in range(offset // BANK_BYTES, -(-(offset + size) // BANK_BYTES))}
        transfers += max(Counter(word % BANKS for word in words).values())
        least += -(-len(words) // BANKS)
    return transfers, least


def _sectors(offsets: list[int], size: int) -> tuple[int, int]:
    sectors = {place // SECTOR_BYTES for offset in offsets for place in (offset, offset + size - 1)}
    return len(sectors), -(-size * len(set(offsets)) // SECTOR_BYTES)
