"""The edge of this package, by the names that every backend has: here arrays are NumPy's, and torch's share memory."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.cpu.compile import BASELINE
from passband.kernels.cpu.philox import words as host_words

__all__ = [
    "asarray",
    "empty",
    "environment",
    "from_torch",
    "host_words",
    "to_host",
    "to_torch",
    "torch_device",
    "torch_stream",
]


def asarray(array: Any) -> NDArray[Any]:
    """Return an array of NumPy."""
    return np.asarray(array)


def environment() -> dict[str, str]:
    """Return what the bits of results depend on: the baseline of the code that Numba generates."""
    return {"baseline": BASELINE}


def empty(shape: Any, dtype: Any = np.float32) -> NDArray[Any]:
    """Return an array that is not filled."""
    return np.empty(shape, dtype)


def to_host(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself."""
    return array


def torch_device() -> str:
    """Return the name of torch's device."""
    return "cpu"


def torch_stream() -> AbstractContextManager[Any]:
    """Do nothing: the CPU has no streams."""
    return nullcontext()


def to_torch(array: NDArray[Any]) -> Any:
    """Return a tensor that shares the memory of an array; a read-only one is copied, as torch knows none."""
    import torch

    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def from_torch(tensor: Any) -> NDArray[Any]:
    """Return an array that shares the memory of a tensor."""
    array: NDArray[Any] = tensor.detach().numpy()
    return array
