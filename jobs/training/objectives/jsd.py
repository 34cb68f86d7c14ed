"""Cross-entropy on the clean view, and agreement of the predictions on all views (Jensen-Shannon divergence)."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.training.amplitude import AmplitudeAttack
from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, ObjectiveOptions, Setting
from passband.jobs.training.objectives.perturb import at_rest
from passband.jobs.training.objectives.state import restored
from passband.jobs.training.pgd import random_starts
from passband.pipeline.options import StrictModel

_SMALLEST_MIXTURE = 1e-7


class OnlineAttack(StrictModel):
    """SADA's attack in each step, on the network that is trained, in place of stored views against a frozen one."""

    copies: int = Field(1, ge=1, le=16, description="attacked views of each sample, beside those that are stored")
    steps: int = Field(5, ge=0, le=254, description="updates at most")
    step_size: float = Field(0.08, ge=0, le=1, description="relative change of an amplitude")
    init: float = Field(0.2, ge=0, le=1, description="range of the random start")


class JsdOptions(ObjectiveOptions):
    """Options of ``jsd``."""

    weight: float = Field(12.0, ge=0, allow_inf_nan=False, description="of the divergence; AugMix and PRIME 12")
    attack: OnlineAttack | None = Field(
        None, description="of the first view, in each step, for further views; absent: the stored views alone"
    )

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `attack` out where it is not given: older jobs read and count as they did."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key != "attack" or value is not None}


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
        if len(setting.views) < 2 and options.attack is None:
            raise ValueError(f"jsd compares views of a sample and needs two or more; it is given {list(setting.views)}")

    def __init__(self, options: JsdOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._steps_done = 0

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step; all views go through the network together."""
        attacked, told = self._attacked(model, batch)
        images = [*batch.images.values(), *attacked]
        logits = self.update.logits(model, torch.cat(images))
        views = logits.unflatten(0, (len(images), len(batch)))
        clean = global_mean(nn.functional.cross_entropy(views[0], batch.labels, reduction="none"))
        divergence = global_mean(jensen_shannon(views))
        metrics = self.update.minimize(model, optimizer, clean + self.options.weight * divergence, batch)
        self._steps_done += 1
        return metrics | {"cross_entropy": clean.detach(), "divergence": divergence.detach(), **told}

    def _attacked(self, model: nn.Module, batch: TrainBatch) -> tuple[list[Tensor], Metrics]:
        """Return the attacked views, and the mean number of updates that a view took."""
        asked = self.options.attack
        if asked is None:
            return [], {}
        attack, found, taken = AmplitudeAttack(asked.steps, asked.step_size), list[Tensor](), list[Tensor]()
        with at_rest(model):
            for copy in range(asked.copies):
                address = ("amplitude", self.setting.seed, self._steps_done, copy)
                noise = random_starts("linf", asked.init, batch.first, batch.indices, *address)
                images, steps = attack(lambda x: self.update.logits(model, x), batch.first, batch.labels, noise)
                found.append(images)
                taken.append(steps)
        return found, {"attack_steps": global_mean(torch.stack(taken).float().mean(0))}

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps done, by which an attack's starts are drawn; nothing without one."""
        return {} if self.options.attack is None else {"steps_done": self._steps_done}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        self._steps_done = restored(state, self.state_dict()).get("steps_done", 0)


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
