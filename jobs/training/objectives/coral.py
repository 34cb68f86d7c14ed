"""Deep CORAL: means and covariances of codes that are alike in all domains (Sun & Saenko, ECCV workshops 2016)."""

from itertools import combinations
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.codes import coded, joint_codes
from passband.jobs.training.objectives.groups import require_groups
from passband.jobs.training.objectives.samples import SampleOptions, training_images


class CoralOptions(SampleOptions):
    """Options of ``coral``; domains are the groups of the data."""

    weight: float = Field(1.0, ge=0, allow_inf_nan=False, description="of the distance of the moments; DomainBed 1")


class Coral(Objective):
    """Objective `coral`: the mean cross-entropy and the distance of the domains' moments of codes (METHODS 6).

    Examples
    --------
    After the example of `Objective`, whose domains have one sample each, of which there is no covariance: the step is
    that of erm. Domains whose codes are 0 and 2, and 1 and 5, have means 1 and 3 and variances 2 and 8.

    >>> Coral(CoralOptions(), setting).step(model, optimizer, batch)["loss"]
    tensor(0.8370)
    >>> moment_distance(torch.tensor([[0.0], [2.0], [1.0], [5.0]]), torch.tensor([0, 0, 1, 1]))
    tensor(40.)
    """

    name = "coral"
    Options = CoralOptions
    options: CoralOptions

    @classmethod
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError where all samples are of one domain."""
        require_groups(cls.name, setting)

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step."""
        samples = training_images(batch, self.options.on)
        found = coded(self.update, model, samples.first)
        plain = global_mean(nn.functional.cross_entropy(found.logits, samples.labels, reduction="none"))
        joint = joint_codes(found, samples, len(batch))
        distance = moment_distance(joint.codes, joint.groups)
        metrics = self.update.minimize(model, optimizer, plain + self.options.weight * distance, batch)
        return metrics | {"cross_entropy": plain.detach(), "moment_distance": distance.detach()}


def moment_distance(codes: Tensor, domains: Tensor) -> Tensor:
    """Return the distance of means and covariances of codes, averaged over the pairs of domains.

    Parameters
    ----------
    codes : (N, F); domains : (N,) int64

    Returns
    -------
    0-d: mean (m_i - m_j)^2 over the F entries, plus mean (C_i - C_j)^2 over the F x F, C with divisor n - 1; 0 where
    fewer than two domains have two samples
    """
    members = [codes[domains == domain] for domain in domains.unique()]
    moments = [_moments(rows) for rows in members if len(rows) > 1]
    pairs = list(combinations(moments, 2))
    distances = [(one - other).square().mean() for pair in pairs for one, other in zip(*pair, strict=True)]
    return torch.stack(distances).sum() / len(pairs) if pairs else codes.new_zeros(())


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    mean = rows.mean(0)
    centered = rows - mean
    return mean, centered.mT @ centered / (len(rows) - 1)
