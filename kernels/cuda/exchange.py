"""What torch and this package hand each other: memory, never copies, in the order of one stream."""

from contextlib import AbstractContextManager
from typing import Any

from passband.kernels.cuda.arrays import Array, contiguous
from passband.kernels.cuda.device import current


def torch_device() -> str:
    """Return the name of torch's device for tensors that share memory with arrays."""
    return current().torch_device


def torch_stream() -> AbstractContextManager[Any]:
    """Let torch's work go to the current stream, behind what the kernels do there."""
    return current().torch_stream()


def to_torch(array: Any) -> Any:
    """Return a tensor of an array, by DLPack; one of the host is copied to the device first."""
    return current().to_torch(contiguous(array))


def from_torch(tensor: Any) -> Array:
    """Return an array of a tensor on the device, by DLPack."""
    return current().from_torch(tensor)
