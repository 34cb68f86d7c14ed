"""The device that is measured: where images lie, when work is done, what a copy of memory takes."""

import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from passband.jobs.bench.timing import Run
from passband.pipeline.errors import PassbandError

BACKENDS = ("cpu", "cuda")
COPY_BYTES = {"cpu": 2**28, "cuda": 2**30}
"""What a copy reads, and as much again that it writes: far more than any cache holds."""
COPY_ROWS = 2**22
"""Bytes that a thread copies at a time."""


class BenchDevice(Protocol):
    """What a benchmark needs of a device.

    Attributes
    ----------
    backend : "cpu" or "cuda"
    name : of the processor or GPU
    kernels : the backend's module
    threads : int or None
        That work on the host.
    pci_bus_id : str or None
        Of a GPU.
    """

    backend: str
    name: str
    kernels: ModuleType
    threads: int | None
    pci_bus_id: str | None

    def environment(self) -> dict[str, str]:
        """Return what the kernels were compiled for and with."""

    def put(self, array: NDArray[Any]) -> Any:
        """Return `array` where the kernels want it."""

    def synchronize(self) -> None:
        """Wait until everything that was begun is done."""

    def copy(self, num_bytes: int) -> Run:
        """Return a function that copies `num_bytes` of the device's memory to another place in it."""

    def peak_bytes(self, run: Run) -> int | None:
        """Run once, and return the most memory it holds beside what was held before; None where nobody counts."""


class CpuDevice:
    """The processor and memory of this machine."""

    backend: str = "cpu"
    pci_bus_id: str | None = None

    def __init__(self, threads: int | None = None) -> None:
        from passband.jobs.dataset.environment import processor
        from passband.kernels import cpu

        if threads is not None:
            cpu.set_num_threads(threads)
        self.name = processor()
        self.kernels: ModuleType = cpu
        self.threads: int | None = cpu.get_num_threads()

    def environment(self) -> dict[str, str]:
        """Return the baseline of processors."""
        return {"baseline": self.kernels.BASELINE}

    def put(self, array: NDArray[Any]) -> Any:
        """Return `array` itself."""
        return array

    def synchronize(self) -> None:
        """Do nothing: kernels return when they are done."""

    def copy(self, num_bytes: int) -> Run:
        """Return a copy on all threads."""
        source, target = np.ones(num_bytes, np.uint8), np.zeros(num_bytes, np.uint8)

        def part(start: int, stop: int) -> None:
            np.copyto(target[start:stop], source[start:stop])

        return lambda: self.kernels.for_ranges(part, num_bytes, COPY_ROWS)

    def peak_bytes(self, run: Run) -> int | None:
        """Count what is allocated through NumPy and Python."""
        tracemalloc.start()
        try:
            run()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


class CudaDevice:
    """The current GPU, as `kernels.cuda` sees it."""

    backend: str = "cuda"
    threads: int | None = None

    def __init__(self) -> None:
        self.kernels, self._device = _cuda()
        self.name: str = self._device.name
        cuda = getattr(self._device.xp, "cuda", None)
        self.pci_bus_id: str | None = None if cuda is None else cuda.Device().pci_bus_id

    def environment(self) -> dict[str, str]:
        """Return compute capability, and versions of CuPy, CUDA and its compiler."""
        found: dict[str, str] = self._device.environment()
        return found

    def put(self, array: NDArray[Any]) -> Any:
        """Return a copy on the GPU."""
        return self._device.asarray(array)

    def synchronize(self) -> None:
        """Wait for the GPU."""
        self._device.synchronize()

    def copy(self, num_bytes: int) -> Run:
        """Return a copy within the GPU's memory."""
        source, target = (self._device.xp.zeros(num_bytes // 4, np.uint32) for _ in range(2))

        def run() -> None:
            target[...] = source

        return run

    def peak_bytes(self, run: Run) -> int | None:
        """Look at how far CuPy's pool of memory grows, which gives nothing back by itself."""
        pool_of: Callable[[], Any] | None = getattr(self._device.xp, "get_default_memory_pool", None)
        if pool_of is None:
            return None
        self.synchronize()
        pool = pool_of()
        pool.free_all_blocks()
        before = pool.used_bytes()
        run()
        self.synchronize()
        return int(pool.total_bytes() - before)


def _cuda() -> tuple[ModuleType, Any]:
    """Return the backend and its device; raise PassbandError that says in one line what is missing."""
    try:
        from passband.kernels import backend

        kernels = backend("cuda")
        from passband.kernels.cuda import device
    except (ValueError, ImportError) as error:
        raise PassbandError(f"backend cuda: {error}") from error
    try:
        return kernels, device.current()
    except device.DeviceError as error:
        raise PassbandError(" ".join(str(error).split())) from error


def open_device(backend: str, threads: int | None = None) -> BenchDevice:
    """Return the device of a backend; raise PassbandError where there is none."""
    return CpuDevice(threads) if backend == "cpu" else CudaDevice()
