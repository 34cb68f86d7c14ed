"""What an analysis is that is done part by part: the contract of the files in ``studies/``.

The work of a study is a few named *parts* (maps, methods), each a row of *items* (frequencies, images) that may be
evaluated in blocks, anywhere and in any order, with the same result. Planning, inputs, resuming, executors and displays
are the affair of this folder; a study says what its parts are, evaluates a block, and puts the records together.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.inputs import Inputs, Keep
from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob
from passband.kernels.cpu.pixels import to_float
from passband.pipeline.layout import ARRAYS

if TYPE_CHECKING:
    from passband.pipeline.surrogate.model import Surrogate


class Looked(NamedTuple):
    """The images that are looked at.

    Attributes
    ----------
    shape : (C, H, W)
    classes : names of their classes
    """

    samples: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """How the work of a study is divided, and what decides its results.

    Attributes
    ----------
    sizes : part -> items; a part's name stands in the names of its records
    block : items of a task, unless the job says so
    form : what of the job decides the results, beside name, images and surrogate; it enters the identity
    keep : returns arrays that the workers need beside the images, by name, given these
    with_amplitude : whether they need the mean amplitude of all images of the source
    probe : items that a dry run measures at once; None: as many as a forward pass has images
    """

    sizes: dict[str, int]
    block: int
    form: dict[str, Any]
    keep: Keep = lambda pixels, indices: {}
    with_amplitude: bool = False
    probe: int | None = None


@dataclass(frozen=True)
class Material:
    """What a study evaluates.

    Attributes
    ----------
    key : 64 bits of the job's seed and source
    classes : names of those that the data has
    model : the frozen model; None for a study of images alone
    """

    job: AnalyzeJob
    key: int
    classes: tuple[str, ...]
    inputs: Inputs
    model: "Surrogate | None"

    @property
    def surrogate(self) -> "Surrogate":
        """The frozen model, of a study that looks at one."""
        assert self.model is not None
        return self.model

    @cached_property
    def images(self) -> NDArray[np.float32]:
        """The images that are looked at: (n, C, H, W) float32 in [0, 1]."""
        return to_float(self.inputs.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        _, height, width, channels = self.inputs.pixels.shape
        return channels, height, width


Evaluate = Callable[[str, int, int], dict[str, Any]]
"""(part, start, stop) -> the columns of the record, lists and numbers."""


@dataclass(frozen=True)
class Findings:
    """What the records of a study came to.

    Attributes
    ----------
    numbers : fields of `Analysis`, which ``results.json`` holds
    arrays : content of the study's file of arrays
    pictures : name of a file -> PNG
    evaluations : images shown to the surrogate
    """

    numbers: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    pictures: dict[str, bytes]
    evaluations: int


class Study(ABC):
    """One kind of analysis.

    Attributes
    ----------
    Record : what its blocks are stored as
    arrays : name of the file with what it found
    """

    Record: ClassVar[type[BlockRecord]]
    arrays: ClassVar[str] = ARRAYS

    @abstractmethod
    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        """Divide the work on these images; raise PassbandError for what does not fit them."""

    def environment(self, job: AnalyzeJob) -> dict[str, str]:
        """Return versions of what its bits depend on, beside what every analysis does."""
        return {}

    @abstractmethod
    def open(self, material: Material) -> Evaluate:
        """Get ready to evaluate blocks, once a worker; what is returned may be called from several threads."""

    @abstractmethod
    def told(self, found: Analysis) -> list[str]:
        """Spell what was found, lines for a terminal of 60 columns."""

    @abstractmethod
    def conclude(self, material: Material, records: Mapping[str, Sequence[Any]]) -> Findings:
        """Put together what all blocks came to: part -> its records, in order."""
