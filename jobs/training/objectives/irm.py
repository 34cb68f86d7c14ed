"""Invariant risk minimisation, version 1 (Arjovsky, Bottou, Gulrajani & Lopez-Paz 2019)."""

from pydantic import Field
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.groups import group_means
from passband.jobs.training.objectives.penalty import PenaltyObjective, PenaltyOptions


class IrmOptions(PenaltyOptions):
    """Options of ``irm``."""

    weight: float = Field(100.0, ge=0, allow_inf_nan=False, description="of the penalty after annealing")


class Irm(PenaltyObjective):
    """Objective `irm`: mean over the groups present of ``L_g + weight * |dL_g(w * logits)/dw at w = 1|^2``.

    The paper sums over the groups; its code, and DomainBed's, take the mean, which is followed (METHODS 6).

    Examples
    --------
    After the example of `Objective`: a factor on the logits moves the groups' losses by -1/4 ln 3 and 3/4 ln 3, and
    the penalty is the mean of the squares.

    >>> metrics = Irm(IrmOptions(weight=2.0, anneal_steps=0), setting).step(model, optimizer, batch)
    >>> metrics["risk"], metrics["penalty"], metrics["loss"]
    (tensor(0.8370), tensor(0.3772), tensor(1.5913))
    """

    name = "irm"
    Options = IrmOptions
    options: IrmOptions

    @property
    def full_weight(self) -> float:
        """Weight of the penalty after annealing."""
        return self.options.weight

    def terms(self, logits: Tensor, samples: TrainBatch) -> tuple[Tensor, Tensor]:
        """Return the mean risk of the groups and the mean of their penalties."""
        losses = nn.functional.cross_entropy(logits, samples.labels, reduction="none")
        risks = group_means(losses, samples.groups, self.setting.num_groups)
        slopes = group_means(scale_derivatives(logits, samples.labels), samples.groups, self.setting.num_groups)
        return risks.over_groups, (slopes.means**2).sum() / slopes.present.sum()


def scale_derivatives(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how the cross-entropy of each sample changes with a factor on its logits, at factor 1.

    Parameters
    ----------
    logits : (N, classes) float32
    labels : (N,) int64

    Returns
    -------
    (N,) float32: ``sum_k p_k z_k - z_y``. Written out, the penalty needs no second derivative by autograd, and the
    means over groups can be summed over processes before they are squared.
    """
    expected = (logits.softmax(1) * logits).sum(1)
    return expected - logits.gather(1, labels[:, None])[:, 0]
