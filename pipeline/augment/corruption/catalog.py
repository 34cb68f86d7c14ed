"""The corruptions by name; each a function of images of one severity, its constants, their draws, and the kernels."""

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.corruption.blur import BLUR, glass_blur, motion_blur
from passband.pipeline.augment.corruption.digital import DIGITAL, pixelate
from passband.pipeline.augment.corruption.noise import NOISE
from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.corruption.weather import WEATHER, snow
from passband.pipeline.augment.draws import Draws
from passband.pipeline.corruptions import NAMES, Name

Corruption = Callable[[NDArray[np.float32], Constants, Draws, ModuleType], NDArray[np.float32]]

_ALL: dict[str, Corruption] = {**NOISE, **BLUR, **WEATHER, **DIGITAL}
CORRUPTIONS: dict[Name, Corruption] = {name: _ALL[name] for name in NAMES}
"""Name -> function, in the order of the paper."""
EIGHT_BIT: dict[Name, Corruption] = {
    "glass_blur": partial(glass_blur, eight_bit=True),
    "motion_blur": partial(motion_blur, eight_bit=True),
    "snow": partial(snow, eight_bit=True),
    "pixelate": partial(pixelate, eight_bit=True),
}
"""Name -> function with the 8-bit steps that the published code takes on the way, where it takes any that matter."""
