"""Cross-entropy on the clean view, and agreement of the predictions on all views (Jensen-Shannon divergence)."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions, Setting

_SMALLEST_MIXTURE = 1e-7


class JsdOptions(ObjectiveOptions):
    """Options of ``jsd``."""

    weight: float = Field(12.0, ge=0, allow_inf_nan=False, description="of the divergence; AugMix and PRIME 12")


class Jsd(Objective):
    """Objective `jsd`: CE(clean) + weight * JSD(clean, view 1, ..., view n) (METHODS 6; SADA eq. 8).

    Examples
    --------
    After the example of `Objective`: equal views add nothing to the mean of ln(4/3) and ln 4, mirrored ones
    12 * (3/4 ln 3 - ln 2).

    >>> Jsd(JsdOptions(), setting).step(model, optimizer, batch)["loss"]
    tensor(0.8370)
    >>> jensen_shannon(torch.tensor([[[3.0, 1.0]], [[1.0, 3.0]]]).log()) * 12
    tensor([1.5697])
    """

    name = "jsd"
    Options = JsdOptions
    options: JsdOptions

    @classmethod
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError where there is one view only."""
        if len(setting.views) < 2:
            raise ValueError(f"jsd compares views of a sample and needs two or more; it is given {list(setting.views)}")

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step; all views go through the network together."""
        logits = self.update.logits(model, torch.cat(list(batch.images.values())))
        views = logits.unflatten(0, (len(batch.images), len(batch)))
        clean = global_mean(nn.functional.cross_entropy(views[0], batch.labels, reduction="none"))
        divergence = global_mean(jensen_shannon(views))
        metrics = self.update.minimize(model, optimizer, clean + self.options.weight * divergence, batch)
        return metrics | {"cross_entropy": clean.detach(), "divergence": divergence.detach()}


def jensen_shannon(views: Tensor) -> Tensor:
    """Return the divergence of the predictions on the views of each sample.

    Parameters
    ----------
    views : (V, N, classes) float32, logits

    Returns
    -------
    (N,) float32 in nats, within [0, ln V] up to rounding and the bound on the mixture.

    Notes
    -----
    ``1/V sum_i KL(p_i || m)``, m the mean of the p_i, clamped to [1e-7, 1] before its logarithm (METHODS 6). The
    logarithms of the p_i come from `log_softmax`: that of a probability that underflows is finite, and its gradient.
    """
    logs = views.log_softmax(2)
    probabilities = logs.exp()
    mixture = probabilities.mean(0).clamp(_SMALLEST_MIXTURE, 1).log()
    return (probabilities * (logs - mixture)).sum(2).mean(0)
