"""The device that the kernels of this package run on: a GPU through CuPy.

Launchers know it by the few things of `Device` alone, so the tests put a CPU in its place (``tests/cuda_host``) and
send it the very calls that CuPy would get.
"""

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from passband.kernels.cuda import sources
from passband.kernels.cuda.driver import missing_gpu

OPTIONS = ("-std=c++17",)
VARIABLE = "PASSBAND_CUDA_DEVICE"
"""Environment variable, ``module:class[:argument]``: another device, in this process and its children."""


class DeviceError(RuntimeError):
    """There is no device to run on; the message says what is missing."""


class Event(Protocol):
    """A place in the work of a stream."""

    def synchronize(self) -> None:
        """Wait until the stream has come there."""


class Stream(Protocol):
    """Work in order; the work of two streams overlaps but where one waits for an event of the other."""

    def __enter__(self) -> Any:
        """Make it the stream that this thread's kernels and allocations go to."""

    def __exit__(self, *error: object) -> Any:
        """Go back to the stream before."""

    def record(self) -> Event:
        """Return the place that the work given so far ends at."""

    def wait_event(self, event: Event) -> None:
        """Begin what is given from now on only when `event` has come."""

    def synchronize(self) -> None:
        """Wait until all that was given is done."""


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
    count : int
        Devices of its kind that this machine has.
    xp : array module, as ``cupy``
    fft : FFT module, as ``cupyx.scipy.fft``
    shared_bytes : int
        The most shared memory that a block may ask for.
    torch_device : str
        Where torch keeps what shares memory with arrays of this device.
    """

    name: str
    count: int
    xp: Any
    fft: Any
    shared_bytes: int
    torch_device: str

    @property
    def out_of_memory(self) -> tuple[type[Exception], ...]:
        """Exceptions raised where memory does not suffice; another try with less may succeed."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """Exceptions after which nothing in this process can use the device any more."""

    def __hash__(self) -> int:
        """Return a hash: caches keep what lies on a device by the device itself."""

    def kernel(self, source: str, name: str, options: tuple[str, ...] = (), shared_bytes: int = 0) -> Launch:
        """Return kernel `name` of a file of this package; `shared_bytes` is the most that launches will ask for."""

    def asarray(self, array: Any) -> Any:
        """Return an array of the device: itself, or a copy of one of the host."""

    def asnumpy(self, array: Any) -> NDArray[Any]:
        """Return an array of the host: itself, or a copy of one of the device, once it is computed."""

    def synchronize(self) -> None:
        """Wait until everything that was started is done."""

    def environment(self) -> dict[str, str]:
        """Return what the bits of a result depend on: the device's kind, versions of compiler and libraries."""

    def to_torch(self, array: Any) -> Any:
        """Return a tensor that shares the memory of an array of the device."""

    def from_torch(self, tensor: Any) -> Any:
        """Return an array that shares the memory of a tensor of the device."""

    def torch_stream(self) -> AbstractContextManager[Any]:
        """Let torch's work go to the current stream."""

    def stream(self) -> Stream:
        """Return a new stream."""

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return an array of the host that can be copied from and to while the host does other things."""

    def free_memory(self) -> None:
        """Give back what nothing holds, to others who use the device."""

    def copy(self, target: Any, source: Any, stream: Stream) -> None:
        """Copy between a pinned array and an array of the device, in the order of `stream`; returns at once."""


class CupyDevice:
    """The current GPU.

    Raises
    ------
    DeviceError
        If CuPy is not installed, or there is no driver or GPU.
    """

    def __init__(self) -> None:
        if find_spec("cupy") is not None and (why := missing_gpu()) is not None:
            raise DeviceError(f"backend cuda: no GPU that CUDA can use: {why}")
        try:
            import cupy
            import cupyx.scipy.fft
        except ImportError as error:
            raise DeviceError(f"backend cuda needs CuPy (install passband[cuda13] or [cuda12]): {error}") from error
        try:
            self.count = int(cupy.cuda.runtime.getDeviceCount())
            if self.count < 1:
                raise DeviceError("backend cuda: this machine has no GPU")
            found = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise DeviceError(f"backend cuda: no GPU that CUDA can use: {error}") from error
        self.xp, self.fft = cupy, cupyx.scipy.fft
        self.name = found["name"].decode()
        self.shared_bytes = int(found["sharedMemPerBlockOptin"])
        self.capability = f"{found['major']}.{found['minor']}"
        self.torch_device = f"cuda:{cupy.cuda.Device().id}"
        self._kernels: dict[tuple[Any, ...], Any] = {}

    @property
    def out_of_memory(self) -> tuple[type[Exception], ...]:
        """CuPy's exception, and torch's where a stage has brought torch."""
        torch = sys.modules.get("torch")
        own: tuple[type[Exception], ...] = (self.xp.cuda.memory.OutOfMemoryError,)
        return own if torch is None else (*own, torch.OutOfMemoryError)

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """CuPy's exceptions, and torch's where a stage has brought torch."""
        cuda, torch = self.xp.cuda, sys.modules.get("torch")
        own: tuple[type[Exception], ...] = (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError)
        return own if torch is None else (*own, torch.AcceleratorError)

    def kernel(self, source: str, name: str, options: tuple[str, ...] = (), shared_bytes: int = 0) -> Launch:
        """Compile (once in a process; CuPy keeps the binary on disk) and return a kernel."""
        key = (source, name, options)
        if key not in self._kernels:
            module = self.xp.RawModule(code=sources.read(source), options=OPTIONS + options)
            self._kernels[key] = module.get_function(name)
        function = self._kernels[key]
        if shared_bytes > 48 * 1024:  # beyond that a kernel has to ask; for the most that any launch needs
            most = max(shared_bytes, function.max_dynamic_shared_size_bytes)
            function.max_dynamic_shared_size_bytes = most
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

    def environment(self) -> dict[str, str]:
        """Return compute capability, and versions of CuPy, the CUDA runtime, NVRTC and cuFFT."""
        from cupy.cuda import cufft

        cuda = self.xp.cuda
        return {
            "capability": self.capability,
            "cupy": self.xp.__version__,
            "cuda": str(cuda.runtime.runtimeGetVersion()),
            "nvrtc": ".".join(map(str, cuda.nvrtc.getVersion())),
            "cufft": str(cufft.getVersion()),
        }

    def to_torch(self, array: Any) -> Any:
        """Return a CUDA tensor, by DLPack."""
        import torch

        return torch.from_dlpack(array)

    def from_torch(self, tensor: Any) -> Any:
        """Return a CuPy array, by DLPack."""
        return self.xp.from_dlpack(tensor.detach())

    def torch_stream(self) -> AbstractContextManager[Any]:
        """Wrap CuPy's current stream as torch's."""
        import torch

        pointer = self.xp.cuda.get_current_stream().ptr
        if not pointer:  # torch takes 0 for none given, and makes a new stream that waits for no other
            return torch.cuda.stream(torch.cuda.default_stream())
        return torch.cuda.stream(torch.cuda.ExternalStream(pointer))

    def stream(self) -> Stream:
        """Return a stream that does not wait for the default one."""
        stream: Stream = self.xp.cuda.Stream(non_blocking=True)
        return stream

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return a page-locked NumPy array."""
        import cupyx

        array: NDArray[Any] = cupyx.empty_pinned(shape, dtype)
        return array

    def free_memory(self) -> None:
        """Empty CuPy's pools, and torch's where a stage has brought torch."""
        self.xp.get_default_memory_pool().free_all_blocks()
        self.xp.get_default_pinned_memory_pool().free_all_blocks()
        if (torch := sys.modules.get("torch")) is not None:
            torch.cuda.empty_cache()

    def copy(self, target: Any, source: Any, stream: Any) -> None:
        """Copy in one of the two directions."""
        if isinstance(target, np.ndarray):
            source.get(stream=stream, out=target, blocking=False)
        else:
            target.set(source, stream=stream)


_lock = threading.Lock()
_used: Device | None = None


@cache
def _chosen() -> Device:
    """Return the one device of this process."""
    if VARIABLE not in os.environ:
        return CupyDevice()
    module, name, *arguments = os.environ[VARIABLE].split(":", 2)
    device: Device = getattr(importlib.import_module(module), name)(*arguments)
    return device


def current() -> Device:
    """Return the device in use: the GPU, unless `use` or `VARIABLE` put another in its place."""
    return _chosen() if _used is None else _used


def failures() -> tuple[type[Exception], ...]:
    """Return the exceptions after which the device in use is lost to this process; none where none was opened."""
    opened = _used is not None or _chosen.cache_info().currsize
    return current().failures if opened else ()


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
