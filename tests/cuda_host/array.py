"""Arrays of the host that behave as CuPy's do: they never mix with NumPy's own without an explicit copy."""

from typing import Any

import numpy as np


class HostArray(np.ndarray):
    """Stands for ``cupy.ndarray``: NumPy's functions work on it, a plain ndarray beside it is refused, as CuPy does."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        refuse_plain(inputs)
        outs = kwargs.get("out", ())
        refuse_plain(outs)
        if outs:
            kwargs["out"] = tuple(_plain(out) for out in outs)
        result = getattr(ufunc, method)(*map(_plain, inputs), **kwargs)
        return outs[0] if outs else as_host(result)

    def __array_function__(self, function, types, args, kwargs):
        refuse_plain((*args, *kwargs.values()))
        return as_host(super().__array_function__(function, types, args, kwargs))

    def get(self):
        """Return a copy on the host, as ``cupy.ndarray.get``."""
        return np.array(self.view(np.ndarray))


def refuse_plain(arguments):
    """Raise TypeError if an array that lies on the host is among the arguments."""
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            refuse_plain(argument)
        elif isinstance(argument, np.ndarray) and not isinstance(argument, HostArray):
            raise TypeError(f"an array of the host, shape {argument.shape}, where the device needs one of its own")


def as_host(value: Any) -> Any:
    """Return what a function of NumPy returned as arrays of the device; CuPy has 0-d arrays where NumPy has scalars."""
    if isinstance(value, tuple):
        return tuple(map(as_host, value))
    if isinstance(value, np.generic):
        value = np.asarray(value)
    return value.view(HostArray) if isinstance(value, np.ndarray) else value


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, HostArray) else value
