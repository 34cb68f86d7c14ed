"""The first model of the methods in two stages: a copy of the network, trained by ERM before the training proper."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch, to_device
from passband.jobs.training.collective import global_mean, mean_over_ranks, sum_over_ranks
from passband.jobs.training.objectives.samples import cross_entropies
from passband.jobs.training.update import NonFiniteError, Update
from passband.pipeline.errors import PassbandError
from passband.pipeline.options import StrictModel

if TYPE_CHECKING:
    from passband.pipeline.loading import Batch, Stream


class ReferenceOptions(StrictModel):
    """How the first model is trained: plain ERM on the first view by SGD of constant rate, without crops and flips."""

    epochs: int = Field(5, ge=1, le=100_000)
    lr: float = Field(0.01, gt=0, allow_inf_nan=False)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0, allow_inf_nan=False)


def train_reference(model: nn.Module, stream: "Stream", update: Update, options: ReferenceOptions) -> nn.Module:
    """Return a trained copy of `model`, in evaluation mode and the same in every process; the stream is not moved.

    Raises
    ------
    PassbandError
        If a loss is not finite.
    """
    reference = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(
        reference.parameters(), lr=options.lr, momentum=options.momentum, weight_decay=options.weight_decay
    )
    position = stream.state_dict()
    try:
        for epoch in range(options.epochs):
            stream.set_epoch(epoch)
            for batch in stream:
                images = _first_view(batch, update.device)
                loss = global_mean(cross_entropies(update, reference, images))
                update.minimize(reference, optimizer, loss, images)
    except NonFiniteError as error:
        raise PassbandError(
            f"the first model, epoch {epoch}: {error}; a smaller rate than {options.lr} may do"
        ) from error
    finally:
        stream.load_state_dict(position)
    mean_over_ranks(reference.buffers())
    return reference.eval()


@torch.no_grad()
def measured(model: nn.Module, stream: "Stream", update: Update, measure: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Measure every sample of the training set, on its first view.

    Parameters
    ----------
    measure : (N, classes) logits and (N,) labels -> (N,) values

    Returns
    -------
    float64 on the CPU, by plan index, the same in every process; 0 at an index without a sample.
    """
    table = torch.zeros(int(stream.indices.max()) + 1, dtype=torch.float64, device=update.device)
    for batch in stream.in_stored_order():
        images = _first_view(batch, update.device)
        table[images.indices] = measure(update.logits(model, images.first), images.labels).double()
    return sum_over_ranks(table).cpu()  # every sample is in one process


def _first_view(batch: "Batch", device: torch.device) -> TrainBatch:
    name = next(iter(batch.images))
    return to_device(replace(batch, images={name: batch.images[name]}), device)
