"""What a study says of itself to the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from passband.jobs.comparison.blocks import Mark
from passband.jobs.comparison.run import Run

Arrays = Mapping[str, NDArray[np.generic]]
DASH = "\u2013"


class Row(BaseModel):
    """A row of the table of results; keys that a later version adds are no damage."""

    model_config = ConfigDict(extra="ignore", frozen=True)


@dataclass(frozen=True)
class Shown:
    """A study's part of the page.

    Attributes
    ----------
    Row : model of the rows of its results
    shapes : (rows, images) -> arrays that the page reads: name -> shape
    blocks : (runs, legend) -> charts, tables and sheets
    """

    Row: type[Row]
    shapes: Callable[[Sequence[Any], int], dict[str, tuple[int, ...]]]
    blocks: Callable[[Sequence[Run], Sequence[Mark]], list[Any]]
