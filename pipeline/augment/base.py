"""What a stage is: the contract that every file of this package fills."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import SerializerFunctionWrapHandler, model_serializer

from passband.pipeline.augment.draws import Draws
from passband.pipeline.options import StrictModel
from passband.pipeline.surrogate.options import SensitivityOptions, SurrogateOptions

Shape = tuple[int, int, int]  # (C, H, W)


class StageOptions(StrictModel):
    """Options of a stage as they stand in a job file: unknown keys and wrong types are refused.

    A subclass fills in every default that depends on another option, so that the dump of an instance is the
    resolved form that enters the identity of a dataset.
    """

    unused: ClassVar[Mapping[str, Any]] = {}
    """Younger option -> the value at which it is left out of the dump, so that older jobs keep their identity."""

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key not in self.unused or value != self.unused[key]}

    def with_absolute_paths(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the paths of input files as `absolute` makes them; most stages have none."""
        return self


LARGE = 2048 * 2048
"""Pixels from which on stages and kernels save memory rather than time."""


class Workspace(NamedTuple):
    """What a stage holds beside the images that it is given, in images of float32.

    Attributes
    ----------
    sample : for every sample of a batch, its result among them
    thread : for every thread that is at work on one
    """

    sample: float
    thread: float


@dataclass(frozen=True)
class InputFile:
    """A local file that a stage reads, as its options name it: it enters the identity by its content.

    A folder stands for the ``model.pt`` in it.

    Attributes
    ----------
    weights : whether it is a checkpoint, beside which its sha256 lies
    sha256 : what the options say of it
    """

    path: str
    weights: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class InputFolder:
    """A local folder whose image files a stage reads: they enter the identity by their contents, in order of names.

    A stage is given each of them by the role ``ROLE/NAME``.
    """

    path: str


@dataclass(frozen=True)
class ComputedMap:
    """A sensitivity map that is computed when the dataset is planned; all that decides it stands in the job.

    Attributes
    ----------
    kind : "enhanced" or "original"
    """

    kind: str
    surrogate: SurrogateOptions
    sensitivity: SensitivityOptions


@dataclass(frozen=True)
class StageResult:
    """What one stage made of a batch.

    Attributes
    ----------
    images : (N, C, H, W) float32
    recorded : name -> (N, ...) array
        What was drawn for each sample; it goes into the provenance of the shard.
    severity : (N,) int64 or None
        Set by stages that corrupt: the sample's severity; of several in a base, that of the last.
    """

    images: NDArray[np.float32]
    recorded: dict[str, NDArray[Any]] = field(default_factory=dict)
    severity: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class RoundedResult:
    """What one stage made of a batch, rounded to pixels where the kernels work.

    Attributes
    ----------
    pixels : (N, H, W, C) uint8
    first_bad : (1,) int32
        Row of the first sample that is not finite; N where all are.
    recorded : as in `StageResult`
    """

    pixels: Any
    first_bad: Any
    recorded: dict[str, NDArray[Any]] = field(default_factory=dict)


class Stage(ABC):
    """One named step of a recipe.

    A stage is a function of (options, image, label, address of the draws) and of nothing else: not of the batch
    that a sample came in, nor of the process.

    Parameters
    ----------
    options : StageOptions
        An instance of the class's own ``Options``.
    shape : (C, H, W)
        Shape of every image that `apply` will see.
    kernels : module
        A backend, as ``kernels.backend(name)`` returns it.
    inputs : role -> content
        Of the files that `inputs` names.
    classes : class names of the dataset

    Examples
    --------
    What the examples of all stages begin with: two gray images, and the address of what is drawn for view 1 of them.

    >>> import numpy as np
    >>> from passband.kernels import backend
    >>> from passband.pipeline.augment.draws import Draws, stream_key
    >>> kernels, shape = backend("cpu"), (1, 16, 16)
    >>> images = np.random.default_rng(0).random((2, *shape), np.float32)
    >>> labels, indices = np.array([0, 1]), np.arange(2, dtype=np.uint32)
    >>> draws = Draws(stream_key(seed=0, source="mine", split="train"), indices, view=1)
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised whenever the bytes that the stage makes change; part of a dataset's identity."""
    since: ClassVar[Mapping[str, int]] = {}
    """Option -> the version that it came with, where that is not the first: older datasets have their identity without
    it."""
    Options: ClassVar[type[StageOptions]]
    sets_severity: ClassVar[bool] = False
    environment_bound: ClassVar[bool] = False
    """True where a library on the way (BLAS, LAPACK, torch) cannot promise the same bits on every processor."""

    in_base: ClassVar[bool] = True
    """Whether the stage may change the sample itself, not only a view of it."""
    whole_shards: ClassVar[bool] = False
    """True where larger batches cost less: a stage that compacts what is still at work."""

    def __init__(
        self,
        options: StageOptions,
        *,
        shape: Shape,
        kernels: ModuleType,
        inputs: Mapping[str, bytes] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        self.options = options
        self.shape = shape
        self.kernels = kernels

    @classmethod  # noqa: B027  # most stages fit every shape
    def check(cls, options: Any, shape: Shape) -> None:
        """Raise ValueError if `options` cannot work on images of `shape`; called while a job file is read."""

    @classmethod
    def inputs(cls, options: Any) -> dict[str, InputFile | InputFolder | ComputedMap]:
        """Return role -> what the stage reads beside its images; most stages read nothing."""
        return {}

    @classmethod  # noqa: B027  # most stages read nothing
    def check_inputs(cls, options: Any, shape: Shape, classes: Sequence[str], contents: Mapping[str, bytes]) -> None:
        """Raise PassbandError or ValueError if files that the options name do not fit the data; called at planning.

        Parameters
        ----------
        contents : role -> content of the files; what is computed later is not there
        """

    @classmethod
    def libraries(cls) -> dict[str, str]:
        """Return name -> version of the libraries on the stage's way that not every stage uses."""
        return {}

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return what `apply` holds at most on the CPU, as it was measured; by default more than most stages need."""
        return Workspace(2, 8)

    @property
    def stores_float(self) -> bool:
        """Whether the result is to be stored as float16 instead of uint8 (``range: float``)."""
        return False

    def apply_rounded(
        self, images: NDArray[np.float32], labels: NDArray[np.int64], draws: Draws
    ) -> RoundedResult | None:
        """Do as `apply` and round, in one kernel; None where the backend has none for it, as for most stages."""
        return None

    @abstractmethod
    def apply(self, images: NDArray[np.float32], labels: NDArray[np.int64], draws: Draws) -> StageResult:
        """Transform a batch.

        Parameters
        ----------
        images : (N, C, H, W) float32, nominally in [0, 1]; never modified
        labels : (N,) int64
        draws : Draws
            The random streams of these N samples at this stage.
        """
