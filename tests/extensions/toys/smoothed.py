"""An objective: cross-entropy with smoothed labels."""

from pydantic import Field
from torch import nn

from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives import Objective
from passband.jobs.training.objectives.samples import SampleOptions, training_images


class SmoothedOptions(SampleOptions):
    """How much of each label is spread over all classes."""

    smoothing: float = Field(0.1, ge=0, lt=1, description="share of a label that all classes get alike")


class Smoothed(Objective):
    """The mean cross-entropy with labels that are a little unsure."""

    name = "smoothed"
    Options = SmoothedOptions

    def step(self, model, optimizer, batch):
        """Take one step down the mean."""
        images = training_images(batch, self.options.on)
        logits = self.update.logits(model, images.first)
        losses = nn.functional.cross_entropy(
            logits, images.labels, label_smoothing=self.options.smoothing, reduction="none"
        )
        return self.update.minimize(model, optimizer, global_mean(losses), batch)
