"""The device that the kernels of this package run on: a GPU through CuPy.

Launchers know it by the few things of `Device` alone, so the tests put a CPU in its place (``tests/cuda_host``) and
send it the very calls that CuPy would get.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kernels.cuda import sources

OPTIONS = ("-std=c++17",)


class DeviceError(RuntimeError):
    """There is no device to run on; the message says what is missing."""


class Launch(Protocol):
    """A kernel, launched as CuPy launches one."""

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...], *, shared_mem: int = 0
    ) -> None:
        """Start `grid` blocks of `block` threads; `args` are arrays of the device and NumPy scalars."""


class Device(Protocol):
    """What launchers need of a device.

    Attributes
    ----------
    name : str
    xp : array module, as ``cupy``
    fft : FFT module, as ``cupyx.scipy.fft``
    shared_bytes : int
        The most shared memory that a block may ask for.
    """

    name: str
    xp: Any
    fft: Any
    shared_bytes: int

    def kernel(self, source: str, name: str, options: tuple[str, ...] = (), shared_bytes: int = 0) -> Launch:
        """Return kernel `name` of a file of this package; `shared_bytes` is the most that launches will ask for."""

    def asarray(self, array: Any) -> Any:
        """Return an array of the device: itself, or a copy of one of the host."""

    def asnumpy(self, array: Any) -> NDArray[Any]:
        """Return an array of the host: itself, or a copy of one of the device, once it is computed."""

    def synchronize(self) -> None:
        """Wait until everything that was started is done."""


class CupyDevice:
    """The current GPU.

    Raises
    ------
    DeviceError
        If CuPy is not installed, or there is no driver or GPU.
    """

    def __init__(self) -> None:
        try:
            import cupy
            import cupyx.scipy.fft
        except ImportError as error:
            raise DeviceError(f"backend cuda needs CuPy (install passband[cuda13] or [cuda12]): {error}") from error
        try:
            if cupy.cuda.runtime.getDeviceCount() < 1:
                raise DeviceError("backend cuda: this machine has no GPU")
            found = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise DeviceError(f"backend cuda: no GPU that CUDA can use: {error}") from error
        self.xp, self.fft = cupy, cupyx.scipy.fft
        self.name = found["name"].decode()
        self.shared_bytes = int(found["sharedMemPerBlockOptin"])
        self._kernels: dict[tuple[Any, ...], Any] = {}

    def kernel(self, source: str, name: str, options: tuple[str, ...] = (), shared_bytes: int = 0) -> Launch:
        """Compile (once in a process; CuPy keeps the binary on disk) and return a kernel."""
        key = (source, options)
        if key not in self._kernels:
            self._kernels[key] = self.xp.RawModule(code=sources.read(source), options=OPTIONS + options)
        function = self._kernels[key].get_function(name)
        if shared_bytes > 48 * 1024:  # beyond that a kernel has to ask
            function.max_dynamic_shared_size_bytes = shared_bytes
        launch: Launch = function
        return launch

    def asarray(self, array: Any) -> Any:
        """Return a CuPy array."""
        return self.xp.asarray(array)

    def asnumpy(self, array: Any) -> NDArray[Any]:
        """Return a NumPy array."""
        host: NDArray[Any] = self.xp.asnumpy(array)
        return host

    def synchronize(self) -> None:
        """Wait for the current stream."""
        self.xp.cuda.get_current_stream().synchronize()


_lock = threading.Lock()
_used: Device | None = None


@cache
def _gpu() -> CupyDevice:
    return CupyDevice()


def current() -> Device:
    """Return the device in use: the GPU, unless `use` put another in its place."""
    return _gpu() if _used is None else _used


@contextmanager
def use(device: Device) -> Iterator[Device]:
    """Run the kernels of this process on `device` meanwhile."""
    global _used
    with _lock:
        before, _used = _used, device
    try:
        yield device
    finally:
        with _lock:
            _used = before


def defines(values: Mapping[str, int | str]) -> tuple[str, ...]:
    """Return compiler options that define macros, in the order of their names."""
    return tuple(f"-D{name}={values[name]}" for name in sorted(values))


def launch(
    source: str,
    name: str,
    threads: int,
    args: Sequence[Any],
    *,
    block: int = 256,
    options: tuple[str, ...] = (),
) -> None:
    """Start `threads` threads of a kernel whose threads work each by itself; none for an empty batch.

    Parameters
    ----------
    args : arrays of the device, ``np.int32`` and the like
        Whatever has another type would reach the kernel in the wrong width.
    """
    if threads:
        blocks = (threads + block - 1) // block
        current().kernel(source, name, options)((blocks,), (block,), tuple(args))


def int32(*values: int) -> tuple[np.int32, ...]:
    """Return integers as kernels take them."""
    return tuple(map(np.int32, values))
