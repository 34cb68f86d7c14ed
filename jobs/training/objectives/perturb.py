"""The step that sharpness-aware objectives share: the gradient at the nearby weights where the loss is worst."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.base import Metrics
from passband.jobs.training.predict import evaluating
from passband.jobs.training.update import Update

Norm = Literal["l2", "linf"]
Offsets = Sequence[tuple[nn.Parameter, Tensor]]


def ascent(model: nn.Module, rho: float, norm: Norm) -> Offsets:
    """Return e* for each parameter that has a gradient.

    ``l2``: rho * g / ||g||, the norm of all parameters together (Foret et al. 2021, eq. 2). ``linf``: rho * sign(g).
    A zero gradient gives no perturbation.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if norm == "linf":
        return [(parameter, rho * gradient.sign()) for parameter, gradient in zip(parameters, gradients, strict=True)]
    return offsets_along(parameters, gradients, rho)


def offsets_along(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor], rho: float) -> Offsets:
    """Return rho * g / ||g|| for each parameter, the norm of all gradients together; zeros where that is zero."""
    length = nn.utils.get_total_norm(gradients)
    scale = torch.where(length == 0, 0, rho / length)  # not `length > 0`: NaN goes on to the loss, which is checked
    return [(parameter, scale * gradient) for parameter, gradient in zip(parameters, gradients, strict=True)]


@contextmanager
def perturbed(model: nn.Module, offsets: Offsets) -> Iterator[None]:
    """Add `offsets` to the weights for a while; afterwards every bit of them is as before.

    Running statistics of normalisation layers are not updated meanwhile, while the layers still normalise by the
    batch if they are in training mode.
    """
    kept = [parameter.detach().clone() for parameter, _ in offsets]
    try:
        with torch.no_grad():
            for parameter, offset in offsets:
                parameter.add_(offset)
        with frozen_statistics(model):
            yield
    finally:
        with torch.no_grad():
            for (parameter, _), before in zip(offsets, kept, strict=True):
                parameter.copy_(before)


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Let no pass move the running statistics of normalisation layers; they normalise as in the mode they are in."""
    # Only layers in training mode: in evaluation mode they update nothing, and some read this flag otherwise.
    layers = [layer for layer in model.modules() if layer.training and getattr(layer, "track_running_stats", False)]
    try:
        for layer in layers:
            layer.track_running_stats = False
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def sharp_step(
    update: Update,
    model: nn.Module,
    optimizer: Optimizer,
    batch: TrainBatch,
    *,
    loss: Tensor,
    again: Callable[[], Tensor],
    rho: float,
    norm: Norm = "l2",
    recorded: bool = False,
) -> Metrics:
    """Take one step along the gradient at the perturbed weights: two forward-backward passes in all.

    Parameters
    ----------
    loss : 0-d tensor, at the weights as they are; e* is made from its gradient over all processes
    again : called at the perturbed weights, returns the loss whose gradient is the update
    rho, norm : see `ascent`
    recorded : bool
        Add the gradient of `loss`, at the weights as they are, to the update.

    Raises
    ------
    NonFiniteError
        With the weights as they were.
    """
    update.gradient(model, loss, batch)
    first = [(p, p.grad) for p in model.parameters() if p.grad is not None] if recorded else []
    with perturbed(model, ascent(model, rho, norm)):
        there = again()
        update.gradient(model, there, batch)
    for parameter, gradient in first:
        parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    length = update.apply(model, optimizer, batch)
    return {"loss": loss.detach(), "perturbed_loss": there.detach(), "gradient_norm": length}


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Let the passes of the attack see what the update sees, and leave nothing behind.

    Batch norm stays in its mode and normalises by the batch, as in the released code of Madry et al.: the attack is
    on the function that the step then lowers. Only its running statistics stand still, so that they are those of one
    pass a step. All else is in evaluation mode: dropout would draw other masks in each step of the attack.
    """
    norms = [layer for layer in model.modules() if layer.training and getattr(layer, "track_running_stats", False)]
    with evaluating(model):
        for norm in norms:
            norm.training = True
        with frozen_statistics(model):
            yield
