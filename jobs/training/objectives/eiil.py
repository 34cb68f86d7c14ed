"""Inferred groups (Creager, Jacobsen & Zemel, "Environment inference for invariant learning", ICML 2021)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import rank, sum_over_ranks
from passband.jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions, Setting
from passband.jobs.training.objectives.group_dro import GroupDro, GroupDroOptions
from passband.jobs.training.objectives.irm import Irm, IrmOptions, scale_derivatives
from passband.jobs.training.objectives.reference import ReferenceOptions, measured, train_reference
from passband.jobs.training.objectives.state import restored

if TYPE_CHECKING:
    from passband.pipeline.loading import Stream


class EiilOptions(ObjectiveOptions):
    """Options of ``eiil``; inference steps and rate are those of the paper's code."""

    reference: ReferenceOptions = Field(default_factory=lambda: ReferenceOptions.model_validate({}))
    inference_steps: int = Field(10_000, ge=0, description="of Adam, over all samples at once")
    inference_rate: float = Field(0.001, gt=0, allow_inf_nan=False)
    then: Literal["group_dro", "irm"] = Field("group_dro", description="what trains on the two inferred groups")
    group_dro: GroupDroOptions = Field(default_factory=lambda: GroupDroOptions.model_validate({}))
    irm: IrmOptions = Field(default_factory=lambda: IrmOptions.model_validate({}))


class Eiil(Objective):
    """Objective `eiil`: the training set is split where it violates invariance most; then GroupDRO or IRM (METHODS 6).

    The paper follows its inference by IRM on digits, where that is what it improves, and by GroupDRO on photographs;
    GroupDRO is the default. The groups of the data are not used. Where the reference model fits every sample there
    is nothing to tell apart: all fall into one group, and what follows is ERM.

    Examples
    --------
    After the example of `Objective`: a factor on the logits moves the losses by -1/4 ln 3 and 3/4 ln 3, whose signs
    tell the images apart. `prepare` infers groups so, and steps count with them: the worst is 0, that of the second.

    >>> slopes = scale_derivatives(torch.tensor([[3.0, 1.0], [3.0, 1.0]]).log(), both)
    >>> groups = infer_groups(slopes.double(), steps=500, rate=0.05, seed=0)
    >>> objective = Eiil(EiilOptions(), setting)
    >>> objective.load_state_dict(objective.state_dict() | {"groups": groups})
    >>> metrics = objective.step(model, optimizer, batch)
    >>> slopes, groups, metrics["worst_group"]
    (tensor([-0.2747,  0.8240]), tensor([1, 0]), tensor(0))
    """

    name = "eiil"
    Options = EiilOptions
    options: EiilOptions

    def __init__(self, options: EiilOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        inner = replace(setting, num_groups=2)
        self._inner: GroupDro | Irm = (
            GroupDro(options.group_dro, inner) if options.then == "group_dro" else Irm(options.irm, inner)
        )
        self._groups = torch.empty(0, dtype=torch.int64, device=setting.update.device)  # by plan index

    @classmethod
    def first_epochs(cls, options: Any) -> int:
        """Return the epochs of the reference model; the inference of groups comes on top."""
        epochs: int = options.reference.epochs
        return epochs

    def prepare(self, model: nn.Module, stream: "Stream") -> None:
        """Train the reference model and infer the groups from its logits on the training set."""
        reference = train_reference(model, stream, self.update, self.options.reference)
        indices = torch.tensor(stream.indices)
        slopes = measured(reference, stream, self.update, scale_derivatives)
        found = infer_groups(
            slopes[indices], self.options.inference_steps, self.options.inference_rate, self.setting.seed
        )
        # The first process decides: another number of threads may have moved a score that is next to zero.
        found = sum_over_ranks((found if rank() == 0 else torch.zeros_like(found)).to(self.update.device))
        self._groups = torch.zeros(len(slopes), dtype=torch.int64, device=self.update.device)
        self._groups[indices.to(self.update.device)] = found
        if isinstance(self._inner, GroupDro):
            self._inner.start(found.cpu().numpy())

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step of GroupDRO or IRM on the inferred groups."""
        return self._inner.step(model, optimizer, replace(batch, groups=self._groups[batch.indices]))

    def state_dict(self) -> dict[str, Any]:
        """Return the groups by plan index, and the state of what follows."""
        return {"groups": self._groups, "inner": self._inner.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        taken = restored(state, self.state_dict())
        self._inner.load_state_dict(taken["inner"])
        self._groups = taken["groups"]


def infer_groups(slopes: Tensor, steps: int, rate: float, seed: int) -> Tensor:
    """Split samples in two so that IRM's penalty is largest.

    Parameters
    ----------
    slopes : (N,) float64 on the CPU
        Derivative of each sample's loss by a factor on its logits (`scale_derivatives`).
    steps, rate : of Adam
    seed : of the scores' normal start

    Returns
    -------
    (N,) int64, 0 or 1.

    Notes
    -----
    A sample is in group 1 with probability s = sigmoid(score); the scores climb the mean of ``mean(s * slope)^2`` and
    ``mean((1 - s) * slope)^2``, and are cut at zero. The derivative by s_n has the sign of slope_n times that of the
    difference of the two means, so that in the end the slopes above zero are on one side, those below on the other.
    """
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(len(slopes), generator=generator, dtype=torch.float64).requires_grad_()
    optimizer = torch.optim.Adam([scores], lr=rate, maximize=True)
    for _ in range(steps):
        optimizer.zero_grad()
        share = scores.sigmoid()
        penalties = torch.stack([(share * slopes).mean(), ((1 - share) * slopes).mean()]) ** 2
        penalties.mean().backward()
        optimizer.step()
    return (scores.detach() > 0).long()
