"""A vector that an objective learns beside the network, by an Adam of its own."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from passband.jobs.training.objectives.state import restored


class Learned:
    """A vector of weights, moved by Adam of a constant rate; its state is whole, so that a resumed one goes on alike.

    The gradient is the same in every process, and so is what is learned.
    """

    def __init__(self, vector: Tensor, rate: float) -> None:
        self.weights = nn.Parameter(vector)
        self._adam = Adam([self.weights], lr=rate)
        moments = (torch.zeros_like(vector), torch.zeros_like(vector))
        self._adam.state[self.weights] = dict(
            zip(("exp_avg", "exp_avg_sq"), moments, strict=True), step=torch.zeros(())
        )

    def step(self, gradient: Tensor) -> None:
        """Take one step against a gradient of the vector's shape."""
        self.weights.grad = gradient
        self._adam.step()
        self.weights.grad = None

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return int(self._adam.state[self.weights]["step"])

    def state_dict(self) -> dict[str, Any]:
        """Return the vector, both moments and the number of steps."""
        state = self._adam.state[self.weights]
        kept = {"weights": self.weights.detach(), "mean": state["exp_avg"], "square": state["exp_avg_sq"]}
        return {key: value.clone() for key, value in kept.items()} | {"steps": self.steps}

    @classmethod
    def of(cls, state: Mapping[str, Any], rate: float, device: torch.device) -> "Learned":
        """Return one that goes on from a state; raise ValueError if it is none."""
        vector = state.get("weights")
        like = vector if isinstance(vector, Tensor) and vector.ndim == 1 else torch.empty(1)
        known = cls(torch.zeros(like.shape, dtype=torch.float64, device=device), rate)
        taken = restored(state, known.state_dict())
        found = cls(taken["weights"], rate)
        moments = {"exp_avg": taken["mean"], "exp_avg_sq": taken["square"]}
        found._adam.state[found.weights] = moments | {"step": torch.tensor(float(taken["steps"]))}
        return found
