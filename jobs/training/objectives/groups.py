"""Risks of groups over the global batch, and the weights of GroupDRO."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from passband.jobs.training.collective import sum_over_ranks
from passband.jobs.training.objectives.base import Metrics, Setting
from passband.jobs.training.objectives.samples import SampleOptions
from passband.jobs.training.objectives.state import restored


@dataclass(frozen=True)
class GroupMeans:
    """Means of a value over the samples of each group in the global batch.

    Attributes
    ----------
    means : (G,) float32; 0 for a group that is absent
    counts : (G,) float32, samples of each group
    """

    means: Tensor
    counts: Tensor

    @property
    def present(self) -> Tensor:
        """Which groups have a sample: (G,) bool."""
        return self.counts > 0

    @property
    def over_groups(self) -> Tensor:
        """Mean over the groups that are present, each counted once."""
        return self.means.sum() / self.present.sum()

    @property
    def over_samples(self) -> Tensor:
        """Mean over the samples."""
        return (self.means * self.counts).sum() / self.counts.sum()


def group_means(values: Tensor, groups: Tensor, num_groups: int) -> GroupMeans:
    """Average `values` (N,) of samples of `groups` (N,), integers below `num_groups`, over the global batch."""
    member = nn.functional.one_hot(groups, num_groups).bool()
    # A sum by mask: scattered additions would come in any order on a GPU.
    totals = torch.where(member, values[:, None], 0).sum(0)
    totals, counts = sum_over_ranks(torch.stack([totals, member.sum(0).to(totals)]))
    return GroupMeans(totals / counts.clamp(min=1), counts.detach())


def require_groups(name: str, setting: Setting) -> None:
    """Raise ValueError where all samples are of one group."""
    found = setting.num_groups if setting.occurring_groups is None else setting.occurring_groups
    if found < 2:
        raise ValueError(f"{name} needs two or more groups; the training set has {found}")


class GroupWeightOptions(SampleOptions):
    """How the groups are weighted."""

    weights: Literal["exponentiated", "hard"] = Field(
        "exponentiated", description="exponentiated: Sagawa et al.; hard: all weight on the largest running mean"
    )
    eta: float = Field(0.01, gt=0, le=1e3, description="step size of exponentiated weights")
    decay: float = Field(0.9, ge=0, lt=1, description="of the running means of hard weights")

    @model_validator(mode="before")
    @classmethod
    def _eta_was_step(cls, given: Any) -> Any:
        # Job files from before `step` became how sharpdro steps.
        if isinstance(given, dict) and type(given.get("step")) in (int, float) and "eta" not in given:
            given = {("eta" if key == "step" else key): value for key, value in given.items()}
        return given


class GroupWeights:
    """The weights q of the groups, moved by the risks of each batch.

    ``exponentiated``: q_g proportional to q_g exp(eta * L_g), starting at 1/G. A group that is absent from the batch
    counts with a loss of zero, so its q_g changes by the normalisation alone (Sagawa et al. 2020, algorithm 1, and
    their code). ``hard``: 1 for the group whose running mean is largest among those present, 0 for the others; a
    running mean starts at the group's first risk and is then ``decay * mean + (1 - decay) * L_g`` while present.

    The state is float64, so that a q that shrinks for 70,000 steps of unit loss does not vanish. A caller takes
    `moved` and, once the step is done, puts the new state in place.
    """

    def __init__(self, options: GroupWeightOptions, num_groups: int, device: torch.device) -> None:
        self._options = options
        self._hard = options.weights == "hard"
        start = -torch.inf if self._hard else 1 / num_groups
        self.state = torch.full((num_groups,), start, dtype=torch.float64, device=device)

    def start(self, groups: NDArray[np.int64]) -> None:
        """Give the groups (N,) of the training set equal weights; one without a sample gets none."""
        if not self._hard:
            occurs = np.bincount(groups, minlength=len(self.state)) > 0
            self.state = torch.from_numpy(occurs / occurs.sum()).to(self.state.device)

    @torch.no_grad()
    def moved(self, risks: GroupMeans) -> tuple[Tensor, Tensor]:
        """Return the state after a batch with these risks, and the weights q (G,) float32 that it means."""
        means = risks.means.double()
        if not self._hard:
            state = torch.softmax(self.state.log() + self._options.eta * means, 0)
            return state, state.float()
        averaged = self._options.decay * self.state + (1 - self._options.decay) * means
        averaged = torch.where(torch.isinf(self.state), means, averaged)
        state = torch.where(risks.present, averaged, self.state)
        worst = torch.where(risks.present, state, -torch.inf).argmax()
        return state, nn.functional.one_hot(worst, len(state)).float()

    def state_dict(self) -> dict[str, Any]:
        """Return q, or the running means of hard weights (-inf: never seen)."""
        return {"running_means" if self._hard else "q": self.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        (self.state,) = restored(state, self.state_dict()).values()


@torch.no_grad()
def group_metrics(risks: GroupMeans, q: Tensor) -> Metrics:
    """Return what the log says of the groups of a batch, on the device."""
    worst_loss, worst = torch.where(risks.present, risks.means, -torch.inf).max(0)
    weights = {f"q_{group}": weight for group, weight in enumerate(q.unbind())}
    return {
        "mean_loss": risks.over_samples,
        "worst_group": worst,
        "worst_group_loss": worst_loss,
        **weights,
    }
