"""The corruptions by name. A new one is a file with a `Corruption`, and a line in `CORRUPTIONS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.blur import BLUR, glass_blur, motion_blur
from passband.pipeline.augment.corruption.digital import DIGITAL, pixelate
from passband.pipeline.augment.corruption.noise import NOISE
from passband.pipeline.augment.corruption.tables import TABLES, Constants
from passband.pipeline.augment.corruption.weather import WEATHER, snow
from passband.pipeline.augment.draws import Draws
from passband.pipeline.corruptions import NAMES, Name, TableName

Function = Callable[[NDArray[np.float32], Constants, Draws, ModuleType], NDArray[np.float32]]


@dataclass(frozen=True)
class Corruption:
    """What the stage `corrupt` knows of a corruption.

    Attributes
    ----------
    function : callable
        Of images of one severity, (N, C, H, W) float32, which it does not modify, the constants of that severity, the
        draws of these samples, and the kernels. The result, of the same shape, is clipped by the stage.
    constants : table -> constants at severities 1 to 5
    number : int, 0 to 255, its own
        What is recorded, and a part of the address of its draws; those of the paper have theirs by its order.
    eight_bit : callable
        The function with the 8-bit steps that published code takes on the way, where it takes any that matter.
    """

    function: Function
    constants: Mapping[TableName, Sequence[Constants]]
    number: int
    eight_bit: Function | None = None


_ALL: dict[str, Function] = {**NOISE, **BLUR, **WEATHER, **DIGITAL}
_EIGHT_BIT: dict[Name, Function] = {
    "glass_blur": partial(glass_blur, eight_bit=True),
    "motion_blur": partial(motion_blur, eight_bit=True),
    "snow": partial(snow, eight_bit=True),
    "pixelate": partial(pixelate, eight_bit=True),
}


def _published(name: Name) -> Corruption:
    constants = {table: by_name[name] for table, by_name in TABLES.items()}
    return Corruption(_ALL[name], constants, NAMES.index(name), _EIGHT_BIT.get(name))


CORRUPTIONS: dict[str, Corruption] = {
    **{name: _published(name) for name in NAMES},
}
"""Those of the paper in its order, then others."""


def by_number() -> dict[int, str]:
    """Return number -> name; raise ValueError where two corruptions have one number, or one has none that is stored."""
    found: dict[int, str] = {}
    for name, corruption in CORRUPTIONS.items():
        if not 0 <= corruption.number <= 255:
            raise ValueError(f"corruption {name} has the number {corruption.number}; allowed: 0 to 255")
        if corruption.number in found:
            raise ValueError(f"corruptions {found[corruption.number]} and {name} have the number {corruption.number}")
        found[corruption.number] = name
    return found
