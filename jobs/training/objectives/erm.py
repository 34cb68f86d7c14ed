"""Empirical risk minimisation: the mean cross-entropy."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from jobs.training.batches import TrainBatch
from jobs.training.collective import global_mean
from jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions


class ErmOptions(ObjectiveOptions):
    """Options of ``erm``: the loss is of the first view, or the mean over all views."""

    on: Literal["clean", "all"] = "clean"


class Erm(Objective):
    """Objective `erm`; with ``on: all`` every view of a sample is a training image of its own (METHODS 6)."""

    name = "erm"
    Options = ErmOptions
    options: ErmOptions

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step down the mean cross-entropy."""
        return self.update.minimize(model, optimizer, self._loss(model, batch), batch)

    def _loss(self, model: nn.Module, batch: TrainBatch) -> Tensor:
        views = [batch.first] if self.options.on == "clean" else list(batch.images.values())
        logits = self.update.logits(model, torch.cat(views))
        losses = nn.functional.cross_entropy(logits, batch.labels.repeat(len(views)), reduction="none")
        return global_mean(losses)
