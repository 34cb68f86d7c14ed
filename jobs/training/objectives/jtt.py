"""Just train twice (Liu et al., "Just train twice: improving group robustness without training group information")."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.reference import ReferenceOptions, measured, train_reference
from passband.jobs.training.objectives.samples import SampleOptions, cross_entropies, training_images
from passband.jobs.training.objectives.state import restored

if TYPE_CHECKING:
    from passband.pipeline.loading import Stream


class JttOptions(SampleOptions):
    """Options of ``jtt``; the paper tunes epochs and up-weight on a validation set with groups."""

    first: ReferenceOptions = Field(default_factory=lambda: ReferenceOptions.model_validate({}))
    up_weight: float = Field(20.0, gt=0, allow_inf_nan=False, description="of a sample that the first model gets wrong")


class Jtt(Objective):
    """Objective `jtt`: cross-entropy in which the samples that a first model gets wrong weigh more (METHODS 6).

    The paper repeats these samples; here they are weighted, to the same expected loss, and the weights are divided
    by their mean over the training set, so that a learning rate means what it means for ERM.

    Examples
    --------
    After the example of `Objective`, with the weights that `prepare` gives where the first model errs on the second
    image alone: the loss is half of 1/2 ln(4/3) + 3/2 ln 4.

    >>> objective = Jtt(JttOptions(), setting)
    >>> weights = error_weights(torch.tensor([False, True]), indices=both, up_weight=3.0)
    >>> objective.load_state_dict({"weights": weights})
    >>> weights, objective.step(model, optimizer, batch)["loss"]
    (tensor([0.5000, 1.5000]), tensor(1.1116))
    """

    name = "jtt"
    Options = JttOptions
    options: JttOptions

    def __init__(self, options: JttOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._weights = torch.empty(0, device=setting.update.device)  # by plan index

    @classmethod
    def first_epochs(cls, options: Any) -> int:
        """Return the epochs of the first model."""
        epochs: int = options.first.epochs
        return epochs

    def prepare(self, model: nn.Module, stream: "Stream") -> None:
        """Train the first model and weigh the samples by its errors on the training set."""
        reference = train_reference(model, stream, self.update, self.options.first)
        wrong = measured(reference, stream, self.update, _wrong) > 0
        self._weights = error_weights(wrong, torch.tensor(stream.indices), self.options.up_weight).to(
            self.update.device
        )

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step down the weighted mean cross-entropy."""
        samples = training_images(batch, self.options.on)
        losses = cross_entropies(self.update, model, samples)
        metrics = self.update.minimize(model, optimizer, global_mean(self._weights[samples.indices] * losses), batch)
        return {**metrics, "mean_loss": global_mean(losses.detach())}

    def state_dict(self) -> dict[str, Any]:
        """Return the weights by plan index."""
        return {"weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        self._weights = restored(state, self.state_dict())["weights"]


def _wrong(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.argmax(1) != labels


def error_weights(wrong: Tensor, indices: Tensor, up_weight: float) -> Tensor:
    """Return float32 weights by plan index: `up_weight` where `wrong`, else 1, over their mean at `indices`."""
    weights = torch.where(wrong, up_weight, 1.0).double()
    return (weights / weights[indices].mean()).float()
