"""The corruptions by name; each a function of images of one severity, its constants, their draws, and the kernels."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pipeline.augment.corruption.blur import BLUR
from pipeline.augment.corruption.digital import DIGITAL
from pipeline.augment.corruption.noise import NOISE
from pipeline.augment.corruption.tables import NAMES, Constants, Name
from pipeline.augment.corruption.weather import WEATHER
from pipeline.augment.draws import Draws

Corruption = Callable[[NDArray[np.float32], Constants, Draws, ModuleType], NDArray[np.float32]]

_ALL: dict[str, Corruption] = {**NOISE, **BLUR, **WEATHER, **DIGITAL}
CORRUPTIONS: dict[Name, Corruption] = {name: _ALL[name] for name in NAMES}
"""Name -> function, in the order of the paper."""
