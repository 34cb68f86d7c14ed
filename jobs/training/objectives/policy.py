"""The weights of FGMix and of its variants (table 2), and how those that are learned are learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from passband.jobs.training.addressed import generator_at, key_of
from passband.jobs.training.batches import TrainBatch
from passband.jobs.training.objectives.codes import LastLayer
from passband.jobs.training.objectives.combinations import Combinations
from passband.jobs.training.objectives.flatness import discriminator_loss, flatness_loss, fooling_loss, sphere
from passband.jobs.training.objectives.learned import Learned
from passband.jobs.training.objectives.samples import SampleOptions
from passband.jobs.training.objectives.weighting import (
    classifier_gradients,
    compatibility_scores,
    cosine_scores,
    dirichlet_scores,
    mixing_weights,
    mlp_weights,
)
from passband.jobs.training.update import NonFiniteError

LEARNED, ADVERSARIAL, SCALED = ("fgmix", "E", "F"), ("fgmix", "F"), ("fgmix", "D", "E", "F")


class PolicyOptions(SampleOptions):
    """How mixtures are weighed."""

    variant: Literal["fgmix", "A", "B", "C", "D", "E", "F"] = Field(
        "fgmix",
        description="of table 2. A: Dirichlet weights; B: cosines of codes; C: of gradients; D: C scaled; "
        "E: learned, by flatness alone; F: as fgmix, from codes",
    )
    scale: float = Field(
        3.0, ge=0, le=100, description="a of eq. 5, where it begins (fgmix, E, F) or stays (D); 1 does not extrapolate"
    )
    radius: float = Field(
        1.0, gt=0, le=1e6, description="gamma of eq. 6, how far the flatness of the loss is looked at"
    )
    directions: int = Field(100, ge=1, le=100_000, description="in which it is looked at, each step anew")
    adversarial_weight: float = Field(0.1, ge=0, le=1e6, description="lambda of eq. 8 (fgmix, F)")
    policy_rate: float = Field(0.001, gt=0, le=1, description="of the Adams of the weights and of the discriminator")
    decay: float = Field(0.9, ge=0, lt=1, description="of the running moments of codes that make the prior")


@dataclass(frozen=True)
class Weighed:
    """The weights of a step's combinations, and what moves them once the step is done.

    Attributes
    ----------
    weights : (M, n) float32, without gradient
    policy, discriminator : gradients by what is learned, None where nothing is
    moments : (2, F) the running mean and variance of codes after this batch, None where there is no prior
    metrics : what the log says of them
    """

    weights: Tensor
    policy: Tensor | None
    discriminator: Tensor | None
    moments: Tensor | None
    metrics: dict[str, Tensor]

    def require_finite(self, batch: TrainBatch) -> None:
        """Raise NonFiniteError where what is learned would not stay finite."""
        for gradient in (self.policy, self.discriminator):
            if gradient is not None and not torch.isfinite(norm := gradient.norm()):
                raise NonFiniteError("norm of the gradient by which mixtures are weighed", float(norm), batch)


class Policy:
    """Weighs combinations as the variant says, and learns to where it learns.

    phi and a are one vector, a its last number; the discriminator is another. Both are drawn by the job's seed when
    the first combinations show how long codes are. All is in float64: many weights of phi have no effect, as a softmax
    does not see what all scores have in common, and Adam would make steps of the rounding in their gradients.
    """

    def __init__(self, options: PolicyOptions, seed: int, device: torch.device) -> None:
        self._options = options
        self._seed = seed
        self._device = device
        self._policy: Learned | None = None
        self._discriminator: Learned | None = None
        self._moments: Tensor | None = None

    def weigh(self, rng: np.random.Generator, codes: Tensor, drawn: Combinations, layer: LastLayer) -> Weighed:
        """Return the weights of combinations of `codes` (N, F), and the gradients by which they are learned.

        Neither the codes nor the layer get a gradient.
        """
        codes, layer = codes.detach().double(), layer.exact()
        options = self._options
        if options.variant not in LEARNED:
            return Weighed(self._fixed(rng, codes, drawn, layer).float(), None, None, None, {})
        compared = self._compared(codes, drawn, layer)
        self._begin(codes.shape[1], compared.shape[-1])
        assert self._policy is not None
        network = self._policy.weights
        scores = compatibility_scores(network[:-1], compared, drawn.present)
        weights = mixing_weights(scores, drawn.present, network[-1])
        mixtures = drawn.matrix(weights, len(codes)) @ codes
        directions = sphere(rng, options.directions, layer.size).to(codes.device)
        loss = flatness_loss(mixtures, drawn.labels, layer, directions, options.radius)
        metrics = {"scale": network[-1].detach().clone(), "flatness": loss.detach()}
        discriminator, moments = None, None
        if options.variant in ADVERSARIAL:
            assert self._discriminator is not None
            judge, moments = self._discriminator.weights, self._moved(codes)
            fooling = fooling_loss(judge.detach(), mixtures)
            loss = loss + options.adversarial_weight * fooling
            noise = torch.from_numpy(rng.standard_normal(mixtures.shape)).to(codes.device)
            judged = discriminator_loss(judge, moments[0] + moments[1].sqrt() * noise, mixtures.detach())
            (discriminator,) = torch.autograd.grad(judged, judge)
            metrics |= {"adversarial": fooling.detach(), "discriminator_loss": judged.detach()}
        (policy,) = torch.autograd.grad(loss, network)
        return Weighed(weights.detach().float(), policy, discriminator, moments, metrics)

    def _compared(self, codes: Tensor, drawn: Combinations, layer: LastLayer) -> Tensor:
        """Return what the samples of each combination are compared by: (M, n, P), codes or gradients."""
        chosen = codes[drawn.rows]
        return chosen if self._options.variant in ("B", "F") else classifier_gradients(chosen, drawn.labels, layer)

    def _fixed(self, rng: np.random.Generator, codes: Tensor, drawn: Combinations, layer: LastLayer) -> Tensor:
        variant, present = self._options.variant, drawn.present
        if variant == "A":
            return mixing_weights(dirichlet_scores(rng, tuple(present.shape)).to(codes.device), present)
        scores = cosine_scores(self._compared(codes, drawn, layer), present)
        return mixing_weights(scores, present, self._options.scale if variant == "D" else 1.0)

    def _begin(self, features: int, compared: int) -> None:
        """Draw what is learned, unless it is there."""
        if self._policy is None:
            self._policy = self._drawn("policy", 2 * compared, self._options.scale)
            if self._options.variant in ADVERSARIAL:
                self._discriminator = self._drawn("discriminator", features)

    def _drawn(self, what: str, inputs: int, *more: float) -> Learned:
        rng = generator_at(key_of("fgmix", what, self._seed))
        vector = torch.from_numpy(mlp_weights(rng, inputs, *more)).to(self._device)
        return Learned(vector, self._options.policy_rate)

    def _moved(self, codes: Tensor) -> Tensor:
        """Return the running moments (2, F) after a batch of `codes`; the first batch's own where there are none."""
        here = torch.stack([codes.mean(0), codes.var(0, correction=0)])
        return here if self._moments is None else self._options.decay * self._moments + (1 - self._options.decay) * here

    def learn(self, weighed: Weighed) -> None:
        """Move what is learned by the gradients of a step that was taken."""
        if self._policy is not None and weighed.policy is not None:
            self._policy.step(weighed.policy)
        if self._discriminator is not None and weighed.discriminator is not None:
            self._discriminator.step(weighed.discriminator)
        self._moments = self._moments if weighed.moments is None else weighed.moments

    def state_dict(self) -> dict[str, Any]:
        """Return all that is learned; nothing before the first step that learns."""
        if self._policy is None or not self._policy.steps:
            return {}
        state: dict[str, Any] = {"policy": self._policy.state_dict()}
        if self._discriminator is None or self._moments is None:
            return state
        return state | {"discriminator": self._discriminator.state_dict(), "moments": self._moments}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state back; raise ValueError if it is not one of this variant."""
        keys = ["policy", *(("discriminator", "moments") if self._options.variant in ADVERSARIAL else ())]
        if state and (self._options.variant not in LEARNED or sorted(state) != sorted(keys)):
            raise ValueError(f"what is learned is {sorted(state)}, this objective keeps {keys} or nothing")
        rate, device = self._options.policy_rate, self._device
        learned = {key: Learned.of(state[key], rate, device) for key in ("policy", "discriminator") if key in state}
        self._policy, self._discriminator = learned.get("policy"), learned.get("discriminator")
        self._moments = state["moments"].to(device, copy=True) if "moments" in state else None
