"""Flatness-aware gradient-based mixup with extrapolation (FGMix)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from passband.jobs.common.wording import class_name, count
from passband.jobs.training.addressed import generator_at, key_of
from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.collective import global_mean
from passband.jobs.training.objectives.base import Metrics, Objective, Setting
from passband.jobs.training.objectives.codes import coded, joint_codes, joint_logits
from passband.jobs.training.objectives.combinations import Combinations, draw_combinations
from passband.jobs.training.objectives.groups import require_groups
from passband.jobs.training.objectives.policy import Policy, PolicyOptions
from passband.jobs.training.objectives.samples import cross_entropies, training_images
from passband.jobs.training.objectives.state import restored
from passband.pipeline.errors import PassbandError

if TYPE_CHECKING:
    from passband.pipeline.loading import Stream

STARTS_AT = 0.6
"""Part of the steps before mixing begins: 3,000 of 5,000, and 9,000 of 15,000 (section 4.1)."""
_NAMED_CLASSES = 5


class FgMixOptions(PolicyOptions):
    """Options of ``fgmix``; domains are the groups of the data."""

    start_step: int | None = Field(None, ge=0, description="steps of erm before mixing; default: 0.6 of the training")
    mixtures: int | None = Field(
        None, ge=1, le=1_000_000, description="combinations a step; default: samples a domain in the batch"
    )


class FgMix(Objective):
    """Objective `fgmix`: the loss of the samples and of mixtures of their codes over domains (METHODS 6).

    Codes are what the last layer is given. From the start step on, samples of one class, one from each domain, are
    combined in codes: z = sum_i w_i z_i, where the weights sum to 1 and may be negative. The network follows
    the loss of the samples plus that of the mixtures, with the weights as they are; the weights follow the flatness
    of the loss around the last layer and a discriminator, with the network as it is. Both steps are from the same
    point, and all is drawn by the job's seed and the step.

    Examples
    --------
    After the example of `Objective`, whose classes are one domain's each: there is nothing to combine, and the step is
    that of erm. Were both images of class 0, any mixture of two equal codes would be that code, and its loss ln(4/3).

    >>> options = FgMixOptions(variant="A", start_step=0)
    >>> FgMix(options, setting).step(model, torch.optim.SGD(model.parameters(), lr=0), batch)["loss"]
    tensor(0.8370)
    >>> alike = TrainBatch({"clean": images}, labels=torch.zeros_like(both), groups=both, indices=both)
    >>> metrics = FgMix(options, setting).step(model, optimizer, alike)
    >>> metrics["loss"], metrics["mixture_loss"], metrics["domains_mixed"]
    (tensor(0.5754), tensor(0.2877), tensor(2.))
    """

    name = "fgmix"
    Options = FgMixOptions
    options: FgMixOptions

    def __init__(self, options: FgMixOptions, setting: Setting) -> None:
        super().__init__(options, setting)
        self._start = int(STARTS_AT * setting.num_steps) if options.start_step is None else options.start_step
        self._policy = Policy(options, setting.seed, setting.update.device)
        self._steps_done = 0

    @classmethod
    def check(cls, options: Any, setting: Setting) -> None:
        """Raise ValueError where all samples are of one domain."""
        require_groups(cls.name, setting)

    def prepare(self, model: nn.Module, stream: "Stream") -> None:
        """Raise PassbandError where no class is of two domains, so that nothing could ever be mixed."""
        if not _shared(stream).any():
            raise PassbandError("objective: fgmix mixes samples of one class, and no class has samples in two groups")

    def notes(self, stream: "Stream") -> list[str]:
        """Say which classes lack samples in which domain."""
        domains = np.unique(stream.groups)
        shared, found = _shared(stream), []
        for label in range(self.setting.num_classes):
            missing = np.setdiff1d(domains, stream.groups[stream.labels == label]).tolist()
            if missing and len(missing) < len(domains):
                fate = "mixed over the others" if shared[label] else "never mixed"
                groups = ", ".join(map(str, missing))
                found.append(f"class {class_name(label, stream.classes)} has no sample in group {groups}; it is {fate}")
        more = len(found) - _NAMED_CLASSES
        return [f"fgmix: {note}" for note in found[:_NAMED_CLASSES]] + (
            [f"fgmix: {count(more, 'more class lacks', 'more classes lack')} samples in a group"] if more > 0 else []
        )

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step of the network, and of the weights where they are learned."""
        samples = training_images(batch, self.options.on)
        if self._steps_done < self._start:
            loss = global_mean(cross_entropies(self.update, model, samples))
            metrics: Metrics = self.update.minimize(model, optimizer, loss, batch)
        else:
            metrics = self._mixed_step(model, optimizer, batch, samples)
        self._steps_done += 1
        return metrics

    def _mixed_step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch, samples: TrainBatch) -> Metrics:
        found = coded(self.update, model, samples.first)
        loss = global_mean(nn.functional.cross_entropy(found.logits, samples.labels, reduction="none"))
        joint = joint_codes(found, samples, len(batch))
        rng = generator_at(key_of("fgmix", self.setting.seed, self._steps_done))
        labels, domains = (column.cpu().numpy() for column in (joint.labels, joint.groups))
        drawn = draw_combinations(rng, labels, domains, self.options.mixtures).to(joint.codes.device)
        if not len(drawn):
            return {**self.update.minimize(model, optimizer, loss, batch), "mixtures": loss.new_zeros(())}
        weighed = self._policy.weigh(rng, joint.codes, drawn, found.layer)
        mixed = drawn.matrix(weighed.weights, len(joint.codes)) @ joint.codes
        mixture_loss = nn.functional.cross_entropy(joint_logits(found.layer, mixed), drawn.labels)
        self.update.gradient(model, loss + mixture_loss, batch)
        weighed.require_finite(batch)
        norm = self.update.apply(model, optimizer, batch)
        self._policy.learn(weighed)
        told = {"mixture_loss": mixture_loss.detach(), **_told(drawn, weighed.weights), **weighed.metrics}
        return {"loss": (loss + mixture_loss).detach(), "gradient_norm": norm, **told}

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps done, by which all is drawn, and what is learned."""
        return {"steps_done": self._steps_done, "learned": self._policy.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back."""
        taken = restored(state, self.state_dict())
        self._policy.load_state_dict(taken["learned"])
        self._steps_done = taken["steps_done"]


def _shared(stream: "Stream") -> NDArray[np.bool_]:
    """Return which classes have samples in two domains or more: (classes,) bool."""
    pairs = np.unique(np.stack([stream.labels, stream.groups]), axis=1)
    shared: NDArray[np.bool_] = np.bincount(pairs[0], minlength=len(stream.classes)) > 1
    return shared


def _told(drawn: Combinations, weights: Tensor) -> dict[str, Tensor]:
    """Return what the log says of combinations: how many, how many of them extrapolate, of how many domains each."""
    return {
        "mixtures": weights.new_tensor(float(len(drawn))),
        "extrapolating": (weights < 0).any(1).float().mean(),
        "domains_mixed": drawn.present.sum(1).float().mean(),
    }
