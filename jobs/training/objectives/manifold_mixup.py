"""Manifold mixup (Verma et al., ICML 2019): mixed images, or mixed codes."""

from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from passband.jobs.training.addressed import generator_at
from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.base import Metrics
from passband.jobs.training.objectives.codes import coded, joint_codes, joint_logits
from passband.jobs.training.objectives.mixup import Mixup, MixupOptions
from passband.jobs.training.objectives.samples import training_images


class ManifoldMixupOptions(MixupOptions):
    """Options of ``manifold_mixup``."""

    alpha: float = Field(
        2.0, ge=0, le=1e6, description="shares are drawn from Beta(alpha, alpha); 0 mixes nothing, as ERM"
    )
    at: Literal["either", "input", "codes"] = Field(
        "either", description="input: mix images; codes: what the last layer is given; either: drawn for each step"
    )


class ManifoldMixup(Mixup):
    """Objective `manifold_mixup`: as `mixup`, of images or of what the last layer is given (METHODS 6).

    Examples
    --------
    After the example of `Objective`: both codes are equal, and whatever share of its loss one gives, the other takes.

    >>> objective = ManifoldMixup(ManifoldMixupOptions(at="codes"), setting)
    >>> objective.step(model, optimizer, batch)["loss"]
    tensor(0.8370)
    """

    name = "manifold_mixup"
    Options = ManifoldMixupOptions
    options: ManifoldMixupOptions

    def step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        """Take one step down the mean loss of the mixtures."""
        mixes_codes = self._mixes_codes()
        step = self._code_step if mixes_codes else super().step
        told = torch.tensor(float(mixes_codes), device=self.update.device)
        return {**step(model, optimizer, batch), "mixed_codes": told}

    def _mixes_codes(self) -> bool:
        if self.options.at != "either":
            return self.options.at == "codes"
        return bool(generator_at(self._key(), stream=1).integers(2))

    def _code_step(self, model: nn.Module, optimizer: Optimizer, batch: TrainBatch) -> Metrics:
        samples = training_images(batch, self.options.on)
        found = coded(self.update, model, samples.first)
        joint = joint_codes(found, samples, len(batch))
        rng = generator_at(self._key())
        partners = torch.from_numpy(rng.permutation(len(joint.labels)))
        shares = torch.from_numpy(self._shares(rng, len(joint.labels))).to(joint.codes.device)
        weights = shares[:, None]
        logits = joint_logits(found.layer, weights * joint.codes + (1 - weights) * joint.codes[partners])
        own, other = (
            nn.functional.cross_entropy(logits, labels, reduction="none")
            for labels in (joint.labels, joint.labels[partners])
        )
        metrics = self.update.minimize(model, optimizer, (shares * own + (1 - shares) * other).mean(), batch)
        self._steps_done += 1
        return metrics | {"share": shares.mean()}
