"""What IRM and V-REx share: a penalty on how the groups differ, which grows after a number of steps."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.groups import require_groups
from passband.jobs.training.objectives.samples import SampleOptions, training_images
from passband.jobs.training.objectives.state import restored


class PenaltyOptions(SampleOptions):
    """When the penalty takes its full weight, and what then happens to the scale of the loss."""

    anneal_steps: int = Field(500, ge=0, description="steps before the penalty has its full weight; till then 1")
    rescale: bool = Field(False, description="divide the loss by the weight once that is above 1")


class PenaltyObjective(Objective):
    """Down ``risk + weight * penalty``.

    The weight is 1 (or the full one, if that is less) for `anneal_steps` steps, as in the codes of Arjovsky et al.
    and of DomainBed, and then the full one. Arjovsky et al. divide the loss by a weight above 1, which keeps the
    gradient near its former length: ``rescale``. DomainBed does not, and nor do we unless asked.
    """

    options: Any

    def __init__(self, options: Any, setting: Setting) -> None:
        super().__init__(options, setting)
        self._steps_done = 0

    @classmethod
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError where all samples are of one group."""
        require_groups(cls.name, setting)

    @property
    @abstractmethod
    def full_weight(self) -> float:
        """Weight of the penalty after annealing."""

    @abstractmethod
    def terms(self, logits: Tensor, samples: TrainBatch) -> tuple[Tensor, Tensor]:
        """Return risk and penalty of the global batch."""

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step down risk and penalty."""
        samples = training_images(batch, self.options.on)
        risk, penalty = self.terms(self.update.logits(model, samples.first), samples)
        annealing = self._steps_done < self.options.anneal_steps
        weight = min(1.0, self.full_weight) if annealing else self.full_weight
        loss = risk + weight * penalty
        if self.options.rescale and weight > 1:
            loss = loss / weight
        metrics = self.update.minimize(model, optimizer, loss, batch)
        self._steps_done += 1
        return {**metrics, "risk": risk.detach(), "penalty": penalty.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps done."""
        return {"steps_done": self._steps_done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        self._steps_done = restored(state, self.state_dict())["steps_done"]
