"""Worst-case sharpness: GroupDRO, or weights by sample, at the perturbed weights (SharpDRO)."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.groups import (
    GroupMeans,
    GroupWeightOptions,
    GroupWeights,
    group_means,
    group_metrics,
    require_groups,
)
from passband.jobs.training.objectives.perturb import Norm, sharp_step
from passband.jobs.training.objectives.samples import cross_entropies, training_images
from passband.jobs.training.objectives.state import restored

if TYPE_CHECKING:
    from passband.pipeline.loading import Stream

DEFAULT_RHO: dict[Norm, float] = {"l2": 0.05, "linf": 0.0005}
"""rho * sign(g) is rho * sqrt(P) long for P weights: 0.005 is 5 for a million of them, and destroys training."""


class SharpDroOptions(GroupWeightOptions):
    """Options of ``sharpdro``; `weights`, `eta` and `decay` are of the distribution-aware form."""

    distribution: Literal["aware", "agnostic"] = Field(
        "aware", description="aware: worst group; agnostic: samples that lose confidence, groups are not used"
    )
    step: Literal["recorded", "worst_only"] = Field(
        "recorded",
        description="recorded: the mean loss's gradient plus the worst case's nearby; worst_only: the latter alone",
    )
    negative: Literal["cut", "keep"] = Field(
        "cut", description="agnostic: weights of samples that gain confidence: cut to 0, or kept negative"
    )
    perturbation: Norm = Field("l2", description="l2: rho * g / ||g||; linf: rho * sign(g)")
    rho: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="size of the perturbation; default: 0.05 (l2), 0.0005 (linf)"
    )


class SharpDro(Objective):
    """Objective `sharpdro` (METHODS 6).

    The first pass records the gradient of the mean loss at theta. ``aware`` (eq. 10): L_q = sum_g q_g L_g with
    GroupDRO's weights q, moved by the risks at theta. ``agnostic`` (eq. 11-12): each sample's loss is weighted by how
    much confidence it loses from theta to theta + e*.

    ``step: recorded`` (section 3.3, "adding the recorded gradient", and the authors' code): e* from the recorded
    gradient; the update is the recorded gradient plus that of the weighted loss at theta + e*. ``step: worst_only``:
    the update is the gradient of the weighted loss at theta + e* alone, and in the aware form e* is from the gradient
    of L_q.

    Examples
    --------
    After the example of `Objective`: q goes by exp(L_g), which is 4/3 and 4, and weighs ln(10/9) and ln 10, the losses
    where the difference of the logits is doubled.

    >>> metrics = SharpDro(SharpDroOptions(eta=1.0, rho=0.5**0.5), setting).step(model, optimizer, batch)
    >>> metrics["q_0"], metrics["q_1"], metrics["perturbed_loss"]
    (tensor(0.2500), tensor(0.7500), tensor(1.7533))

    In the agnostic form samples weigh by the confidence they lose: the first falls from 3/4 to 1/2, the second stays.

    >>> here, there = (torch.tensor(odds).log() for odds in ([[3.0, 1.0], [3.0, 1.0]], [[1.0, 1.0], [3.0, 1.0]]))
    >>> confidence_weights(here, there)
    tensor([2., 0.])
    """

    name = "sharpdro"
    Options = SharpDroOptions
    options: SharpDroOptions

    def __init__(self, options: SharpDroOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._rho = DEFAULT_RHO[options.perturbation] if options.rho is None else options.rho
        self._weights = GroupWeights(options, setting.num_groups, setting.update.device)

    @classmethod
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError where the distribution-aware form has one group only."""
        if options.distribution == "aware":
            require_groups(cls.name, setting)

    def prepare(self, model: nn.Module, stream: "Stream") -> None:
        """Take groups that have no sample out of q."""
        self._weights.start(np.asarray(stream.groups))

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step, of two forward-backward passes."""
        return (self._aware if self.options.distribution == "aware" else self._agnostic)(model, optimizer, batch)

    def _aware(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        samples = training_images(batch, self.options.on)

        def risks() -> GroupMeans:
            return group_means(cross_entropies(self.update, model, samples), samples.groups, self.setting.num_groups)

        here = risks()
        state, q = self._weights.moved(here)
        recorded = self.options.step == "recorded"
        loss = here.over_samples if recorded else (q * here.means).sum()
        metrics = self._sharp_step(model, optimizer, batch, loss, again=lambda: (q * risks().means).sum())
        self._weights.state = state
        return {**metrics, **group_metrics(here, q)}

    def _agnostic(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        samples = training_images(batch, self.options.on)
        weighted: dict[str, Tensor] = {}

        def again() -> Tensor:
            there = self.update.logits(model, samples.first)
            weights = confidence_weights(here.detach(), there.detach(), self.options.negative)
            weighted["share_weighted"] = global_mean((weights > 0).float())
            return global_mean(weights * nn.functional.cross_entropy(there, samples.labels, reduction="none"))

        here = self.update.logits(model, samples.first)
        loss = global_mean(nn.functional.cross_entropy(here, samples.labels, reduction="none"))
        return {**self._sharp_step(model, optimizer, batch, loss, again), **weighted}

    def _sharp_step(
        self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch, loss: Tensor, again: Callable[[], Tensor]
    ) -> Metrics:
        return sharp_step(
            self.update,
            model,
            optimizer,
            batch,
            loss=loss,
            again=again,
            rho=self._rho,
            norm=self.options.perturbation,
            recorded=self.options.step == "recorded",
        )

    def state_dict(self) -> dict[str, Any]:
        """Return q, or the running means of the groups; nothing where groups are not used."""
        return self._weights.state_dict() if self.options.distribution == "aware" else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        if self.options.distribution == "aware":
            self._weights.load_state_dict(state)
        else:
            restored(state, {})


def confidence_weights(here: Tensor, there: Tensor, negative: Literal["cut", "keep"] = "cut") -> Tensor:
    """Return the weights of samples by the confidence they lose from `here` to `there` (eq. 11-12).

    Parameters
    ----------
    here, there : (N, classes) float32, logits at theta and at theta + e*
    negative : "cut" or "keep"
        cut: a sample that gains confidence weighs 0. keep: as eq. 11 prints it, its weight is negative, or, where
        most gain, the others' are; a mean near 0 makes weights of any size.

    Returns
    -------
    (N,) float32 of mean 1 over the global batch: the loss of the largest softmax output, over its mean; 1 for all where
    that mean is 0.
    """
    lost = here.softmax(1).amax(1) - there.softmax(1).amax(1)
    if negative == "cut":
        lost = lost.clamp(min=0)
    mean = global_mean(lost)
    return torch.where(mean != 0, lost / mean, 1)
