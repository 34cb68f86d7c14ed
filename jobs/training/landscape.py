"""How steep and how sharp the loss is around the weights of a network, view by view (SharpDRO, figures 3 and 4)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch, to_device
from passband.jobs.training.objectives.perturb import Offsets, offsets_along, perturbed
from passband.jobs.training.predict import evaluating
from passband.pipeline.loading import Stream


@dataclass(frozen=True)
class Landscape:
    """What is said of the mean cross-entropy L, in nats, of a view.

    Attributes
    ----------
    gradient_norm : ||g||, the l2 norm of L's gradient by all weights together
    sharpness : L(theta + e*) - L(theta) with e* = rho g / ||g|| (eq. 6 to 8)
    """

    gradient_norm: float
    sharpness: float


def landscapes(
    network: nn.Module,
    opened: Callable[[], AbstractContextManager[Stream]],
    views: Sequence[str],
    rho: float,
    device: torch.device,
) -> dict[str, Landscape]:
    """Return the landscape of each view's own mean loss, over all samples and in evaluation mode.

    The samples are read twice: for the gradients, and for the losses at the perturbed weights. The network's weights
    and their ``grad`` are left as they were.

    Parameters
    ----------
    opened : opens the samples, the same ones each time
    rho : length of e*; at least 0
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    gradients = {view: [torch.zeros_like(parameter) for parameter in parameters] for view in views}
    here, there = (dict.fromkeys(views, 0.0) for _ in range(2))
    with evaluating(network):
        for batch, share in _batches(opened, device):
            for view in views:
                loss = share * _mean_loss(network, batch, view)
                here[view] += float(loss.detach())
                for total, part in zip(gradients[view], torch.autograd.grad(loss, parameters), strict=True):
                    total += part
        offsets: dict[str, Offsets] = {view: offsets_along(parameters, found, rho) for view, found in gradients.items()}
        with torch.no_grad():
            for batch, share in _batches(opened, device):
                for view in views:
                    with perturbed(network, offsets[view]):
                        there[view] += float(share * _mean_loss(network, batch, view))
    norms = {view: float(nn.utils.get_total_norm(found)) for view, found in gradients.items()}
    return {view: Landscape(norms[view], there[view] - here[view]) for view in views}


def _batches(
    opened: Callable[[], AbstractContextManager[Stream]], device: torch.device
) -> Iterator[tuple[TrainBatch, float]]:
    """Yield each batch with its share of the samples."""
    with opened() as stream:
        for batch in stream:
            moved = to_device(batch, device)
            yield moved, len(moved.labels) / stream.num_samples


def _mean_loss(network: nn.Module, batch: TrainBatch, view: str) -> Tensor:
    return nn.functional.cross_entropy(network(batch.images[view]).float(), batch.labels)
