"""What the stages that attack a surrogate by its gradients share: their options, their surrogate, what they record."""

import importlib.metadata
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from passband.kernels import backend
from passband.pipeline.attacks.norms import l2_norms
from passband.pipeline.attacks.options import WalkOptions
from passband.pipeline.augment.base import (
    ComputedMap,
    InputFile,
    InputFolder,
    Shape,
    Stage,
    StageOptions,
    StageResult,
    Workspace,
)
from passband.pipeline.augment.draws import Draws
from passband.pipeline.surrogate.options import SurrogateOptions
from passband.pipeline.surrogate.shared import load_shared

if TYPE_CHECKING:
    from passband.pipeline.attacks.deepfool import DeepFool

Images = NDArray[np.float32]
Integers = NDArray[np.int64]
RANDOM = "random"
TARGET = 1
"""Purpose in the address of a draw."""


class AttackOptions(WalkOptions, StageOptions):
    """Options of a stage that attacks a surrogate by DeepFool's steps."""

    surrogate: SurrogateOptions
    alpha: float | None = Field(
        None, gt=0, le=1, description="most by which an element changes, of images in [0, 1]; null: no bound"
    )
    target: str | None = Field(
        None,
        min_length=1,
        description="class that all are moved to, or random: drawn for each; null: any other",
    )

    def with_absolute_paths(self, absolute: Callable[[str], str]) -> Self:
        """Return the options with the path of the checkpoint as `absolute` makes it."""
        return self.model_copy(update={"surrogate": self.surrogate.with_absolute_path(absolute)})


class Attacked(NamedTuple):
    """What an attack made of N samples: images (N, C, H, W) in [0, 1], and what else is recorded of each."""

    images: Images
    recorded: dict[str, NDArray[Any]]


class AttackStage(Stage):
    """A stage that moves each sample over a decision boundary of a frozen model.

    What is recorded for each sample: ``steps`` of DeepFool, ``target`` where there is one, and of the result, rounded
    to 8 bits as it is stored where no stage follows, against the image that the stage was given, ``changed`` (whether
    the prediction is another), ``pixels`` (how many differ, both rounded, whatever their channels) and ``distance``
    (l2, of images in [0, 1]).
    """

    Options: ClassVar[type[AttackOptions]] = AttackOptions
    options: Any
    environment_bound: ClassVar[bool] = True
    in_base: ClassVar[bool] = False  # a view of the sample, not another sample
    whole_shards: ClassVar[bool] = True

    @classmethod
    def inputs(cls, options: Any) -> dict[str, InputFile | InputFolder | ComputedMap]:
        """Return the surrogate's checkpoint."""
        return {"surrogate": InputFile(options.surrogate.file(), weights=True, sha256=options.surrogate.sha256)}

    @classmethod
    def check_inputs(cls, options: Any, shape: Shape, classes: Sequence[str], contents: Mapping[str, bytes]) -> None:
        """Raise PassbandError or ValueError if the surrogate does not fit the data, or there is no such target."""
        load_shared(contents["surrogate"], options.surrogate, classes, shape, backend("cpu"))
        if options.target in (None, RANDOM):
            return
        if options.surrogate.labels == "own":
            raise ValueError(f"target is {options.target!r}; allowed with surrogate.labels own: random, or null")
        if options.target not in classes:
            raise ValueError(f"target is {options.target!r}; allowed: random, or a class: {_some(classes)}")

    @classmethod
    def libraries(cls) -> dict[str, str]:
        """Return the versions of torch and torchvision."""
        return {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return what it holds: images, bounds and results; a thread the surrogate's chunk and its linear problem."""
        return Workspace(8, 24 * options.surrogate.batch)

    def __init__(
        self,
        options: AttackOptions,
        *,
        shape: Shape,
        kernels: ModuleType,
        inputs: Mapping[str, bytes],
        classes: Sequence[str],
    ) -> None:
        super().__init__(options, shape=shape, kernels=kernels, inputs=inputs, classes=classes)
        self._classes = tuple(classes)
        self._shared = load_shared(inputs["surrogate"], options.surrogate, classes, shape, kernels)

    def apply(self, images: Images, labels: Integers, draws: Draws) -> StageResult:
        """Attack a batch; images of [0, 1] come back in [0, 1]."""
        before = self._shared.judge_clean(images, None, self.kernels).predictions
        targets = self._targets(before, draws)
        attacked, recorded = self._attack(images, *self._bounds(images), targets)
        stored, given = (self.kernels.to_float(self.kernels.to_uint8(array)) for array in (attacked, images))
        after = self._shared.judge(stored, None, self.kernels).predictions
        recorded |= {} if targets is None else {"target": targets.astype(np.int32)}
        return StageResult(
            attacked,
            recorded
            | {
                "changed": after != before,
                "pixels": self.kernels.to_host(changed_pixels(stored, given)),
                "distance": self.kernels.to_host(l2_distances(stored, images)),
            },
        )

    @abstractmethod
    def _attack(self, images: Images, low: Images, high: Images, targets: Integers | None) -> Attacked:
        """Return the attacked images, within the bounds."""

    def _bounds(self, images: Images) -> tuple[Images, Images]:
        """Return the least and the greatest that each element may become."""
        if self.options.alpha is None:
            return 0 * images, 0 * images + np.float32(1)
        alpha = np.float32(self.options.alpha)
        return (images - alpha).clip(0, 1), (images + alpha).clip(0, 1)

    def _targets(self, predictions: Integers, draws: Draws) -> Integers | None:
        if self.options.target is None:
            return None
        if self.options.target != RANDOM:
            return np.full(len(predictions), self._classes.index(self.options.target), np.int64)
        address = draws.at(purpose=TARGET)
        words = self.kernels.to_host(self.kernels.words(address.key, address.indices, address.view, address.stage, 1))
        classes = self._shared.surrogate.num_classes
        further = 1 + (words.reshape(-1).astype(np.int64) * (classes - 1) >> 32)  # uniform over the others
        found: Integers = (predictions + further) % classes
        return found

    def _deepfool(self) -> "DeepFool":
        from passband.pipeline.attacks.deepfool import DeepFool  # torch

        options = self.options
        return DeepFool(self._shared.surrogate, self.kernels, options.classes, options.steps, options.overshoot)


def changed_pixels(stored: Images, images: Images) -> NDArray[np.uint32]:
    """Return how many pixels of each pair of images differ, in whichever channel: (N,)."""
    return (stored != images).any(axis=1).sum(axis=(1, 2)).astype(np.uint32)


def l2_distances(stored: Images, images: Images) -> NDArray[np.float32]:
    """Return the l2 distance of each pair of images."""
    return l2_norms(stored - images).astype(np.float32)


def _some(classes: Sequence[str]) -> str:
    return ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
