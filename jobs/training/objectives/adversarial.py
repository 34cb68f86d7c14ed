"""Adversarial training (Madry, Makelov, Schmidt, Tsipras & Vladu, ICLR 2018)."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.perturb import at_rest
from passband.jobs.training.objectives.samples import SampleOptions, cross_entropies, training_images
from passband.jobs.training.objectives.state import restored
from passband.jobs.training.pgd import Norm, Pgd, random_starts

DEFAULT_RADIUS: dict[Norm, float] = {"linf": 4 / 255, "l2": 0.5}


class AdversarialOptions(SampleOptions):
    """Options of ``adversarial``; lengths are in units of the range [0, 1] of pixels."""

    norm: Norm = Field("linf", description="of the ball that the attack stays in")
    radius: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="of the ball; default: 4/255 for linf, 0.5 for l2"
    )
    steps: int = Field(10, ge=1, le=10_000, description="of the attack on each batch")
    step_size: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="of the attack; default: 2.5 * radius / steps"
    )
    random_start: bool = Field(True, description="begin anywhere in the ball, not at the image")

    def attack(self) -> Pgd:
        """Return the attack that is asked for."""
        radius = DEFAULT_RADIUS[self.norm] if self.radius is None else self.radius
        return Pgd.of(self.norm, radius, self.steps, self.step_size)


class Adversarial(Objective):
    """Objective `adversarial`: the mean cross-entropy of images that PGD has moved against the network (METHODS 6).

    Examples
    --------
    After the example of `Objective`: half of ln 3 from one pixel to the other takes the first image's lead, whose
    loss becomes ln 2. The second image, at both ends of its range, stays.

    >>> objective = Adversarial(AdversarialOptions(radius=0.5493, random_start=False), setting)
    >>> metrics = objective.step(model, optimizer, batch)
    >>> metrics["loss"], metrics["clean_loss"]
    (tensor(1.0397), tensor(0.8370))
    """

    name = "adversarial"
    Options = AdversarialOptions
    options: AdversarialOptions

    def __init__(self, options: AdversarialOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._attack = options.attack()
        self._steps_done = 0

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step: the passes of the attack, one on the images as they are, and one for the update."""
        samples = training_images(batch, self.options.on)
        with at_rest(model):
            with torch.no_grad():
                clean = global_mean(cross_entropies(self.update, model, samples))
            images = self._moved(model, samples)
        logits = self.update.logits(model, images)
        loss = global_mean(nn.functional.cross_entropy(logits, samples.labels, reduction="none"))
        metrics = self.update.minimize(model, optimizer, loss, batch)
        self._steps_done += 1
        right = global_mean((logits.detach().argmax(1) == samples.labels).float())
        return metrics | {"clean_loss": clean, "adversarial_accuracy": right}

    def _moved(self, model: nn.Module, samples: TrainBatch) -> Tensor:
        attack, images = self._attack, samples.first
        start = None
        if self.options.random_start:
            address = ("training", self.setting.seed, self._steps_done)
            start = random_starts(attack.norm, attack.radius, images, samples.indices, *address)

        def losses(moved: Tensor) -> Tensor:
            return nn.functional.cross_entropy(self.update.logits(model, moved), samples.labels, reduction="none")

        return attack(losses, images, start)

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps done, by which the random starts are drawn."""
        return {"steps_done": self._steps_done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        self._steps_done = restored(state, self.state_dict())["steps_done"]
