"""What the objectives train on: the clean view alone, or every view as an image of its own."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.base import ObjectiveOptions
from passband.jobs.training.update import Update

On = Literal["clean", "all"]


class SampleOptions(ObjectiveOptions):
    """Which images of a sample are trained on."""

    on: On = Field("clean", description="clean: the first view; all: all views of a sample, in the same step")


def training_images(batch: TrainBatch, on: On) -> TrainBatch:
    """Return `batch` as a batch of one view; with ``all``, V views of N samples become V * N images, view by view."""
    views = len(batch.images)
    if on == "clean" or views == 1:
        return batch
    name = next(iter(batch.images))
    columns = (column.repeat(views) for column in (batch.labels, batch.groups, batch.indices))
    return TrainBatch({name: torch.cat(list(batch.images.values()))}, *columns)


def cross_entropies(update: Update, model: nn.Module, batch: TrainBatch) -> Tensor:
    """Return the cross-entropy of each image of the first view: (N,) float32, in nats."""
    return nn.functional.cross_entropy(update.logits(model, batch.first), batch.labels, reduction="none")
