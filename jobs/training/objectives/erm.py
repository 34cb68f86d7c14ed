"""Empirical risk minimisation: the mean cross-entropy."""

from torch import nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective
from passband.jobs.training.objectives.samples import SampleOptions, cross_entropies, training_images


class ErmOptions(SampleOptions):
    """Options of ``erm``: the loss is of the first view, or the mean over all views."""


class Erm(Objective):
    """Objective `erm` (METHODS 6); with ``on: all`` a step trains on all views of its samples.

    To train on the set that the views enlarge, shuffled, let the stream have them as samples (``views_as_samples``).

    Examples
    --------
    After the example of `Objective`: the mean of ln(4/3) and ln 4, which is less after the step.

    >>> objective = Erm(ErmOptions(), setting)
    >>> objective.step(model, optimizer, batch)["loss"]
    tensor(0.8370)
    >>> objective.step(model, optimizer, batch)["loss"]
    tensor(0.8222)
    """

    name = "erm"
    Options = ErmOptions
    options: ErmOptions

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step down the mean cross-entropy."""
        losses = cross_entropies(self.update, model, training_images(batch, self.options.on))
        return self.update.minimize(model, optimizer, global_mean(losses), batch)
