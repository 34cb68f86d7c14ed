"""A device that is this machine's CPU: `kernels.cuda` runs on it unchanged, by the calls that CuPy would get."""

from contextlib import nullcontext
from functools import cache

import numpy as np
import scipy.fft

from passband.kernels.cuda import sources
from tests.cuda_host.array import HostArray, as_host, refuse_plain
from tests.cuda_host.build import build
from tests.cuda_host.kernel import HostKernel
from tests.cuda_host.stream import HostStream


class _Namespace:
    """A module whose functions take and return arrays of the device, as ``cupy`` or ``cupyx.scipy.fft``."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        found = _rubbish if name == "empty" else getattr(self._module, name)
        if isinstance(found, type) or not callable(found):
            return _Namespace(found) if type(found).__name__ == "module" else found

        def call(*args, **kwargs):
            refuse_plain((*args, *kwargs.values()))
            return as_host(found(*args, **kwargs))

        return call


@cache
def loaded(text: str, name: str, options: tuple[str, ...], sanitizer: str) -> HostKernel:
    """Return a kernel of a source, compiled for the CPU."""
    return HostKernel(build(text, options, sanitizer), name)


def _rubbish(shape, dtype=np.float32):
    array = np.empty(shape, dtype)
    array.reshape(-1).view(np.uint8)[:] = 0xFF  # NaN, of floats
    return array


class HostOutOfMemory(MemoryError):
    """What the device raises where ``cupy`` raises its OutOfMemoryError."""


class HostFailure(RuntimeError):
    """What the device raises where ``cupy`` raises CUDARuntimeError."""


class HostDevice:
    """The CPU in the place of a GPU.

    Parameters
    ----------
    seed : int
        Thread order of every launch, as `HostKernel` takes it.
    sanitizer : str, as `build` takes it
    shared_bytes : int
        Shared memory that a block may have; 232,448 as sm_90 and sm_100.
    read : function, name of a source -> text
    """

    name = "host"
    count = 1
    torch_device = "cpu"
    out_of_memory = (HostOutOfMemory,)
    failures = (HostFailure,)

    def __init__(self, *, seed: int = 2, sanitizer: str = "", shared_bytes: int = 232448, read=sources.read) -> None:
        self.xp, self.fft = _Namespace(np), _Namespace(scipy.fft)
        self.seed, self.sanitizer, self.shared_bytes = seed, sanitizer, shared_bytes
        self.read, self.launches = read, []
        """(source, kernel, options, grid, block, shared bytes) of every launch, in order."""

    def kernel(self, source, name, options=(), shared_bytes=0):
        """Return a kernel, compiled for the CPU; launches that need more shared memory than was asked for fail."""
        if shared_bytes > self.shared_bytes:
            raise RuntimeError(f"{name}: {shared_bytes} bytes of shared memory, the device has {self.shared_bytes}")
        function = loaded(self.read(source), name, tuple(options), self.sanitizer)

        def launch(grid, block, args, *, shared_mem=0):
            if shared_mem > max(shared_bytes, 48 * 1024):
                raise RuntimeError(f"{name}: {shared_mem} bytes of shared memory at launch, {shared_bytes} asked for")
            self.launches.append((source, name, tuple(options), grid, block, shared_mem))
            function(grid, block, args, shared_mem=shared_mem, seed=self.seed)

        return launch

    def asarray(self, array):
        """Return an array of the device: itself, or a copy."""
        return array if isinstance(array, HostArray) else np.array(array).view(HostArray)

    def asnumpy(self, array):
        """Return an array of the host: itself, or a copy."""
        return array.get() if isinstance(array, HostArray) else np.asarray(array)

    def synchronize(self):
        """Do nothing: a launch returns when it is done."""

    def environment(self):
        """Return what no dataset of a GPU has."""
        return {"capability": "host"}

    def to_torch(self, array):
        """Return a tensor that shares the memory."""
        import torch

        return torch.from_numpy(array.view(np.ndarray))

    def from_torch(self, tensor):
        """Return an array that shares the memory."""
        return tensor.detach().numpy().view(HostArray)

    def torch_stream(self):
        """Do nothing: torch's work is done at once, as the kernels' is."""
        return nullcontext()

    def stream(self):
        """Return a stream whose copies are as late as its events allow."""
        return HostStream()

    def pinned(self, shape, dtype):
        """Return an array of the host, filled with what nobody expects."""
        return _rubbish(shape, dtype)

    def free_memory(self):
        """Do nothing: there is no pool."""

    def copy(self, target, source, stream):
        """Put off a copy until an event after it is waited for."""
        if isinstance(target, HostArray) == isinstance(source, HostArray):
            raise TypeError("a copy goes from the host to the device or back")
        stream.add(lambda: np.copyto(target.view(np.ndarray), source.view(np.ndarray)))
