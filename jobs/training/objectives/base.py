"""What an objective is: the contract that every file of this package fills."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.state import restored
from passband.jobs.training.update import Update
from passband.pipeline.options import StrictModel

if TYPE_CHECKING:
    from passband.pipeline.loading import Stream

Metrics = Mapping[str, float | Tensor]


class ObjectiveOptions(StrictModel):
    """Options of an objective as they stand in a job file beside ``kind``."""


@dataclass(frozen=True)
class Setting:
    """What an objective is told of the training.

    Attributes
    ----------
    views : names of the views in each batch, in their order
    num_classes, num_groups : int
        Groups are the integers 0 .. num_groups - 1; some may have no sample.
    occurring_groups : int or None
        How many of them have a sample; None is all.
    steps : int or None
        Of the whole training; None is those of its epochs.
    num_samples : int
        Of the training set.
    steps_per_epoch, epochs : int
    seed : int
        Of the job; what an objective draws, it draws from a generator of its own.
    """

    views: tuple[str, ...]
    num_classes: int
    num_groups: int
    num_samples: int
    steps_per_epoch: int
    epochs: int
    seed: int
    update: Update
    occurring_groups: int | None = None
    steps: int | None = None

    @property
    def num_steps(self) -> int:
        """Steps of the whole training."""
        return self.epochs * self.steps_per_epoch if self.steps is None else self.steps


class Objective(ABC):
    """How the weights are moved by a batch.

    Every loss is formed from sums over the global batch (`jobs.training.collective`), so that several processes take
    the same step as one.

    Examples
    --------
    What the examples of all objectives begin with: two images of two pixels, ln 3 and ln 1, of class and group 0 and 1,
    and a network that hands out the pixels as logits. Both softmaxes are 3/4 and 1/4, the losses ln(4/3) and ln 4.

    >>> import torch
    >>> update = Update(torch.device("cpu"))
    >>> sizes = {"num_classes": 2, "num_groups": 2, "num_samples": 2, "steps_per_epoch": 1, "epochs": 1}
    >>> setting = Setting(("clean", "view"), **sizes, seed=0, update=update)
    >>> images, both = torch.tensor([[3.0, 1.0], [3.0, 1.0]]).log().view(2, 1, 1, 2), torch.tensor([0, 1])
    >>> batch = TrainBatch({"clean": images, "view": images}, labels=both, groups=both, indices=both)
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    >>> model[1].weight = nn.Parameter(torch.eye(2))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> nn.functional.cross_entropy(update.logits(model, images), both, reduction="none").detach()
    tensor([0.2877, 1.3863])
    """

    name: ClassVar[str]
    Options: ClassVar[type[ObjectiveOptions]]

    def __init__(self, options: Any, setting: Setting) -> None:
        self.options = options
        self.setting = setting
        self.update = setting.update

    @classmethod
    def first_epochs(cls, options: Any) -> int:
        """Return the epochs of the model that `prepare` trains; most train none."""
        return 0

    @classmethod  # noqa: B027  # most objectives take any data
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError if `options` cannot work on this data (one view for JSD, one group for GroupDRO)."""

    def prepare(self, model: nn.Module, stream: "Stream") -> None:  # noqa: B027  # most need nothing
        """Do what comes before the first step (JTT's first model, EIIL's groups); skipped where a state was loaded.

        `model` is left as it was, and so is the state of `stream`.
        """

    def notes(self, stream: "Stream") -> list[str]:
        """Return what a person should know of training on this data, one sentence each."""
        return []

    @abstractmethod
    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step on a batch; return at least ``loss``, of the global batch.

        Raises
        ------
        NonFiniteError
            Before anything was stepped.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep: tensors, numbers, strings, lists and dicts of them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back, exactly; raise ValueError if it is not one of this objective's."""
        restored(state, {})
