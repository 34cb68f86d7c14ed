"""The last layer of a network, with dropout before it whose masks a resumed training draws alike."""

import hashlib

import torch
from torch import Tensor, nn

EXTRA = "_extra_state"
"""How torch ends the name, in a state dict, of what is no weight: here the seed and the masks drawn so far."""


def last_layer(inputs: int, num_classes: int, dropout: float | None) -> nn.Linear:
    """Return the linear layer from features to logits, with `dropout` one that drops that share of the features."""
    return nn.Linear(inputs, num_classes) if dropout is None else DroppedLinear(inputs, num_classes, dropout)


class DroppedLinear(nn.Linear):
    """A linear layer that drops a share of its inputs, while it is trained (Srivastava et al. 2014).

    The mask of the n-th batch is a function of (seed, process, n) and of no global random state. Seed and n stand in
    the state dict, so a training that is resumed draws the masks that it would have drawn.

    Attributes
    ----------
    share : 0 <= share < 1; what is kept is divided by 1 - share
    process : rank of this process, of those that train together; each draws masks of its own
    """

    def __init__(self, inputs: int, outputs: int, share: float) -> None:
        super().__init__(inputs, outputs)
        self.share, self.seed, self.drawn, self.process = share, 0, 0, 0

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits; in training, of features some of which are dropped."""
        return super().forward(self._dropped(features) if self.training else features)

    @torch.compiler.disable  # a count that goes on would be compiled into the graph as what it is now
    def _dropped(self, features: Tensor) -> Tensor:
        address = hashlib.blake2b(f"{self.seed} {self.process} {self.drawn}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(address) >> 1)
        self.drawn += 1
        kept = torch.rand(features.shape, generator=generator) >= self.share
        return features * (kept.to(features.device) / (1 - self.share))

    def get_extra_state(self) -> Tensor:
        """Return seed and number of masks drawn."""
        return torch.tensor([self.seed, self.drawn], dtype=torch.int64)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from a seed and a number of masks."""
        self.seed, self.drawn = state.tolist()
