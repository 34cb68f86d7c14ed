"""Attacks on the images of `test`: their options in a job file, and what a network predicts under one."""

from typing import Annotated, Literal

import torch
from pydantic import Discriminator, Field
from torch import Tensor, nn

from passband.jobs.training.batches import to_device
from passband.jobs.training.pgd import Norm, Pgd, random_starts
from passband.jobs.training.predict import Predictions, joined, stored_order
from passband.pipeline.networks.network import Network
from passband.pipeline.options import StrictModel


class Fgsm(StrictModel):
    """Fast gradient sign method (Goodfellow et al. 2015): one step to a corner of the linf ball."""

    kind: Literal["fgsm"]
    radius: float = Field(ge=0, description="of the ball, in units of the range [0, 1] of pixels")

    @property
    def random_start(self) -> bool:
        """FGSM begins at the image."""
        return False

    def pgd(self) -> Pgd:
        """Return the attack."""
        return Pgd("linf", self.radius, steps=1, step_size=self.radius)


class ProjectedGradient(StrictModel):
    """Projected gradient descent (Madry et al. 2018), as in the objective `adversarial`."""

    kind: Literal["pgd"]
    norm: Norm = Field("linf", description="of the ball that the attack stays in")
    radius: float = Field(ge=0, description="of the ball, in units of the range [0, 1] of pixels")
    steps: int = Field(10, ge=1, le=10_000)
    step_size: float | None = Field(None, ge=0, description="default: 2.5 * radius / steps")
    random_start: bool = Field(True, description="begin anywhere in the ball, not at the image")

    def pgd(self) -> Pgd:
        """Return the attack."""
        return Pgd.of(self.norm, self.radius, self.steps, self.step_size)


Attack = Annotated[Fgsm | ProjectedGradient, Discriminator("kind")]


def predict_attacked(
    network: Network,
    path: str,
    view: str,
    attack: Fgsm | ProjectedGradient,
    seed: int,
    *,
    batch_size: int,
    device: torch.device,
    workers: int | None = None,
) -> Predictions:
    """Return the predictions on a view of a dataset, whose images are moved against `network`; they are not rounded.

    Parameters
    ----------
    network : in evaluation mode and on `device`
    seed : of random starts, which depend on it and the plan index alone
    """
    predicted: list[Tensor] = []
    with stored_order(path, [view], batch_size, workers) as stream:
        for batch in stream:
            moved = to_device(batch, device)
            start = None
            if attack.random_start:
                start = random_starts(attack.pgd().norm, attack.radius, moved.first, moved.indices, "evaluation", seed)
            images = attack.pgd()(_Losses(network, moved.labels), moved.first, start)
            with torch.inference_mode():
                predicted.append(network(images).argmax(1).cpu())
        return Predictions(joined(predicted), stream.labels, stream.groups, stream.indices)


class _Losses:
    """The cross-entropy of each image of a batch."""

    def __init__(self, network: nn.Module, labels: Tensor) -> None:
        self._network, self._labels = network, labels

    def __call__(self, images: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self._network(images).float(), self._labels, reduction="none")
