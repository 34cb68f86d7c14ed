"""Mixup (Zhang, Cisse, Dauphin & Lopez-Paz, ICLR 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.addressed import generator_at, key_of
from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import gathered_rows, global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.samples import SampleOptions, plan_order, training_images
from passband.jobs.training.objectives.state import restored


class MixupOptions(SampleOptions):
    """Options of ``mixup``."""

    alpha: float = Field(
        1.0, ge=0, le=1e6, description="shares are drawn from Beta(alpha, alpha); 0 mixes nothing, as ERM"
    )
    per: Literal["batch", "sample"] = Field("batch", description="one share for the whole batch, or one a sample")


@dataclass(frozen=True)
class Mixture:
    """What each image of this process is mixed with.

    Attributes
    ----------
    images : (N, C, H, W) float32, the partners
    labels : (N,) int64, of the partners
    shares : (N,) float32, of the image itself
    """

    images: Tensor
    labels: Tensor
    shares: Tensor


class Mixup(Objective):
    """Objective `mixup`: the loss of mixed images, mixed in the same shares of both labels (METHODS 6).

    Pairs are a permutation of the global batch, drawn with the shares by the job's seed and the step, in the order of
    the plan: neither the batch's order nor how it is split over processes changes them.

    Examples
    --------
    After the example of `Objective`: both images are equal, and whatever share of its loss one gives, the other takes.

    >>> metrics = Mixup(MixupOptions(), setting).step(model, optimizer, batch)
    >>> metrics["loss"]
    tensor(0.8370)
    """

    name = "mixup"
    Options: ClassVar[type[MixupOptions]] = MixupOptions
    options: MixupOptions

    def __init__(self, options: MixupOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._steps_done = 0

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step down the mean loss of the mixtures."""
        samples = training_images(batch, self.options.on)
        mixture = self._drawn(samples, len(batch))
        weights = mixture.shares.view(-1, 1, 1, 1)
        logits = self.update.logits(model, weights * samples.first + (1 - weights) * mixture.images)
        own, other = (
            nn.functional.cross_entropy(logits, labels, reduction="none") for labels in (samples.labels, mixture.labels)
        )
        loss = global_mean(mixture.shares * own + (1 - mixture.shares) * other)
        metrics = self.update.minimize(model, optimizer, loss, batch)
        self._steps_done += 1
        return metrics | {"share": global_mean(mixture.shares)}

    def _key(self) -> int:
        """Return the key of what is drawn in this step."""
        return key_of(self.name, self.setting.seed, self._steps_done)

    def _drawn(self, samples: TrainBatch, per_view: int) -> Mixture:
        """Return the partners of `samples`, of which each view has `per_view`."""
        order, own = plan_order(samples, per_view)
        images, labels = (gathered_rows(rows)[0] for rows in (samples.first, samples.labels))
        rng = generator_at(self._key())
        partners, shares = torch.empty_like(order), torch.empty(len(order))
        partners[order] = order[torch.from_numpy(rng.permutation(len(order)))]
        shares[order] = torch.from_numpy(self._shares(rng, len(order)))
        chosen = partners[own].to(images.device)
        return Mixture(images[chosen], labels[chosen], shares[own].to(images.device))

    def _shares(self, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
        """Return the share of each of `count` images in the order of the plan."""
        alpha, drawn = self.options.alpha, count if self.options.per == "sample" else 1
        shares = rng.beta(alpha, alpha, drawn) if alpha else np.ones(drawn)
        return np.broadcast_to(shares.astype(np.float32), count).copy()

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps done, by which pairs and shares are drawn."""
        return {"steps_done": self._steps_done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        self._steps_done = restored(state, self.state_dict())["steps_done"]
