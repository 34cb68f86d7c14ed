"""What the objectives train on: the clean view alone, or every view as an image of its own."""

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import gathered_rows
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


def plan_order(samples: TrainBatch, per_view: int) -> tuple[Tensor, slice]:
    """Return the rows of the global batch, as gathered, in the order of the plan, and where this process's are.

    Parameters
    ----------
    samples : images of this process, of which each view has `per_view`

    Returns
    -------
    (N,) int64 on the CPU, by plan index and then by view, and a slice of the gathered rows
    """
    view = torch.arange(len(samples), device=samples.indices.device) // max(per_view, 1)
    (indices, own), (views, _) = gathered_rows(samples.indices), gathered_rows(view)
    return torch.from_numpy(np.lexsort((views.cpu().numpy(), indices.cpu().numpy()))), own
