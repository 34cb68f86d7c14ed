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

    Examples
    --------
    After the example of `Objective`: ln(4/3) and ln 4 have the sum ln(16/3) and the variance (1/2 ln 3)^2.

    >>> metrics = Vrex(VrexOptions(beta=3.0, anneal_steps=0), setting).step(model, optimizer, batch)
    >>> metrics["risk"], metrics["penalty"], metrics["loss"]
    (tensor(1.6740), tensor(0.3017), tensor(2.5792))
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
