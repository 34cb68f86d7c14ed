"""The codes of a network: what its last layer is given, for this process's images and for the global batch."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import gathered_rows, rank
from passband.jobs.training.objectives.samples import plan_order
from passband.jobs.training.update import Update
from passband.pipeline.errors import PassbandError


class LastLayer(NamedTuple):
    """The linear layer from codes (..., F) to logits (..., classes).

    Attributes
    ----------
    weight : (classes, F)
    bias : (classes,) or None
    """

    weight: Tensor
    bias: Tensor | None

    @property
    def size(self) -> int:
        """Number of weights, biases included."""
        return self.weight.numel() + (0 if self.bias is None else self.bias.numel())

    def detached(self) -> "LastLayer":
        """Return the layer, to which no gradient flows."""
        return LastLayer(self.weight.detach(), None if self.bias is None else self.bias.detach())

    def exact(self) -> "LastLayer":
        """Return the layer in float64, to which no gradient flows."""
        weight, bias = self.detached()
        return LastLayer(weight.double(), None if bias is None else bias.double())

    def logits(self, codes: Tensor) -> Tensor:
        """Return the logits of `codes`, without dropout."""
        return nn.functional.linear(codes, self.weight, self.bias)

    def inputs(self, codes: Tensor) -> Tensor:
        """Return what the rows of all weights are multiplied by: `codes`, followed by 1 where there is a bias."""
        return codes if self.bias is None else torch.cat([codes, torch.ones_like(codes[..., :1])], -1)


@dataclass(frozen=True)
class Coded:
    """What a network makes of N images on the way to its logits.

    Attributes
    ----------
    codes : (N, F) float32, what the last layer is given, before its dropout
    logits : (N, classes) float32
    layer : h of FGMix
    """

    codes: Tensor
    logits: Tensor
    layer: LastLayer


@dataclass(frozen=True)
class JointCodes:
    """The codes of the global batch in the order of the plan, the same in every process.

    Attributes
    ----------
    codes : (N, F) float32; gradients flow to the codes of this process
    labels, groups : (N,) int64
    """

    codes: Tensor
    labels: Tensor
    groups: Tensor


def coded(update: Update, model: nn.Module, images: Tensor) -> Coded:
    """Pass `images` through `model`, uncompiled, and return the codes with the logits.

    Raises
    ------
    PassbandError
        If the network does not end in a linear layer that is given one code an image.
    """
    model = getattr(model, "_orig_mod", model)  # a compiled network passes by hooks
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    seen: list[tuple[Tensor, Tensor]] = []

    def look(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        seen.append((given[0], made))

    hook = layers[-1].register_forward_hook(look) if layers else None
    try:
        with update.autocast():
            logits = model(images)
    finally:
        if hook is not None:
            hook.remove()
    if len(seen) != 1 or seen[0][1] is not logits or seen[0][0].ndim != 2:
        raise PassbandError(
            "objective: needs a network whose last layer is linear, from one code an image to its logits; "
            "this one ends otherwise, choose another network"
        )
    return Coded(seen[0][0].float(), logits.float(), LastLayer(layers[-1].weight, layers[-1].bias))


def joint_codes(found: Coded, samples: TrainBatch, per_view: int) -> JointCodes:
    """Gather the codes of all processes; `samples` are the images of `found`, `per_view` of each view."""
    order, _ = plan_order(samples, per_view)
    codes, own = gathered_rows(found.codes.detach())
    codes = torch.cat([codes[: own.start], found.codes, codes[own.stop :]])
    labels, groups = (gathered_rows(column)[0] for column in (samples.labels, samples.groups))
    return JointCodes(codes[order], labels[order], groups[order])


def joint_logits(layer: LastLayer, codes: Tensor) -> Tensor:
    """Return the logits of codes that every process holds alike, without dropout.

    As all processes form the same loss from them, its gradient by `layer` is that of the first process alone; the
    gradients of the processes are added up later.
    """
    return (layer if rank() == 0 else layer.detached()).logits(codes)
