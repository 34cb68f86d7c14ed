"""Worst-group risk (Sagawa, Koh, Hashimoto & Liang, "Distributionally robust neural networks", ICLR 2020)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.optim import Optimizer

from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.groups import (
    GroupWeightOptions,
    GroupWeights,
    group_means,
    group_metrics,
    require_groups,
)
from passband.jobs.training.objectives.samples import cross_entropies, training_images

if TYPE_CHECKING:
    from passband.pipeline.loading import Stream


class GroupDroOptions(GroupWeightOptions):
    """Options of ``group_dro``."""


class GroupDro(Objective):
    """Objective `group_dro`: sum_g q_g L_g, the weights q moved by the risks L_g before they weigh them (METHODS 6).

    Examples
    --------
    After the example of `Objective`: q goes by exp(L_g), which is 4/3 and 4; the loss is 1/4 ln(4/3) + 3/4 ln 4.

    >>> objective = GroupDro(GroupDroOptions(eta=1.0), setting)
    >>> metrics = objective.step(model, optimizer, batch)
    >>> metrics["q_0"], metrics["q_1"], metrics["loss"]
    (tensor(0.2500), tensor(0.7500), tensor(1.1116))
    """

    name = "group_dro"
    Options = GroupDroOptions
    options: GroupDroOptions

    def __init__(self, options: GroupDroOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._weights = GroupWeights(options, setting.num_groups, setting.update.device)

    @classmethod
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError where all samples are of one group."""
        require_groups(cls.name, setting)

    def prepare(self, model: nn.Module, stream: "Stream") -> None:
        """Take groups that have no sample out of q."""
        self.start(np.asarray(stream.groups))

    def start(self, groups: NDArray[np.int64]) -> None:
        """Give the groups (N,) that samples have equal weights, others none."""
        self._weights.start(groups)

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Move q, then take one step down the weighted risk."""
        samples = training_images(batch, self.options.on)
        risks = group_means(cross_entropies(self.update, model, samples), samples.groups, self.setting.num_groups)
        state, q = self._weights.moved(risks)
        metrics = self.update.minimize(model, optimizer, (q * risks.means).sum(), batch)
        self._weights.state = state
        return {**metrics, **group_metrics(risks, q)}

    def state_dict(self) -> dict[str, Any]:
        """Return q, or the running means of the groups."""
        return self._weights.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        self._weights.load_state_dict(state)
