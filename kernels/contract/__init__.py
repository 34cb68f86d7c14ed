"""What every package of kernels exposes, told once: `Kernels`, in parts by what the functions are for.

Arrays are of NumPy or of the backend's device, and so are results. What is float32 or complex64 here is float64 or
complex128 in ``reference``, which takes arrays of any float.
"""

import inspect
from collections.abc import Callable
from typing import Protocol, TypeVar

from passband.kernels.contract.blur import Blurs
from passband.kernels.contract.digital import Digital
from passband.kernels.contract.frequency import Filters
from passband.kernels.contract.noise import Noise
from passband.kernels.contract.pixels import Pixels
from passband.kernels.contract.prime import Primitives
from passband.kernels.contract.spectral import Spectra
from passband.kernels.contract.weather import Weather

F = TypeVar("F", bound=Callable[..., object])


class Kernels(Pixels, Filters, Primitives, Spectra, Blurs, Digital, Noise, Weather, Protocol):
    """The functions that all backends have; errors of shapes are ValueError and name the argument."""


def documented(function: F) -> F:
    """Give a backend's function the contract's text, with its own docstring as a further note."""
    text, own = inspect.getdoc(getattr(Kernels, function.__name__)), inspect.getdoc(function)
    if text and own:
        text += f"\n\n{own}" if "\nNotes\n" in text else f"\n\nNotes\n-----\n{own}"
    function.__doc__ = text
    return function
