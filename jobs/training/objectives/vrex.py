"""Variance risk extrapolation (Krueger et al., "Out-of-distribution generalization via risk extrapolation", 2021)."""

import torch
from pydantic import Field
from torch import Tensor

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.groups import group_means
from passband.jobs.training.objectives.penalty import PenaltyObjective, PenaltyOptions


class VrexOptions(PenaltyOptions):
    """Options of ``vrex``."""

    beta: float = Field(10.0, ge=0, allow_inf_nan=False, description="weight of the variance after annealing")


class Vrex(PenaltyObjective):
    """Objective `vrex`: sum of the risks of the groups present + beta * their variance, over their number.

    METHODS 6.
    """

    name = "vrex"
    Options = VrexOptions
    options: VrexOptions

    @property
    def full_weight(self) -> float:
        """Weight of the variance after annealing."""
        return self.options.beta

    def terms(self, logits: Tensor, samples: TrainBatch) -> tuple[Tensor, Tensor]:
        """Return the sum of the groups' risks and their variance."""
        losses = torch.nn.functional.cross_entropy(logits, samples.labels, reduction="none")
        risks = group_means(losses, samples.groups, self.setting.num_groups)
        deviations = torch.where(risks.present, risks.means - risks.over_groups, 0)
        return risks.means.sum(), (deviations**2).sum() / risks.present.sum()
