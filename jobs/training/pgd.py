"""Projected gradient descent on images: the attack that adversarial training and evaluation share.

Goodfellow, Shlens & Szegedy, ICLR 2015 (FGSM: one step as long as the radius); Madry et al., ICLR 2018 (PGD).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from passband.jobs.training.addressed import generator_at, key_of

Norm = Literal["linf", "l2"]
_RADII_OF_ALL_STEPS = 2.5
Losses = Callable[[Tensor], Tensor]
"""From images (N, C, H, W) to what the attack raises, (N,), each by its own image."""


@dataclass(frozen=True)
class Pgd:
    """An attack within a ball around each image, and within [0, 1].

    Attributes
    ----------
    radius, step_size : in units of the range [0, 1] of pixels
    steps : ascents; none leaves the start
    """

    norm: Norm
    radius: float
    steps: int
    step_size: float

    @classmethod
    def of(cls, norm: Norm, radius: float, steps: int, step_size: float | None) -> "Pgd":
        """Return an attack whose steps are, unless they are given, 2.5 radii long together (as in Madry's library)."""
        return cls(norm, radius, steps, _RADII_OF_ALL_STEPS * radius / steps if step_size is None else step_size)

    def __call__(self, losses: Losses, images: Tensor, start: Tensor | None = None) -> Tensor:
        """Return images at which the losses are higher.

        Parameters
        ----------
        losses : the gradient is that of their sum
        images : (N, C, H, W) float32
        start : (N, C, H, W) float32, first perturbation, within the ball; default: none

        Returns
        -------
        (N, C, H, W) float32, without gradient: no farther than `radius` from `images`, up to rounding, and within
        [0, 1]. Pixels that were outside of it before (a filter's overshoot) stay where they are or come nearer.

        Notes
        -----
        x <- P(x + step_size * sign(g)) for linf, P(x + step_size * g / ||g||_2) for l2, P onto the ball, then onto
        the box (Madry et al. 2018, section 2.1). The second does not leave the first: the center lies in the box. An
        image whose gradient is zero stays.
        """
        center = images.detach()
        low, high = center.clamp(max=0), center.clamp(min=1)
        found = center if start is None else torch.clamp(center + start, low, high)
        for _ in range(self.steps):
            offset = found - center + self.step_size * self._direction(_gradient(losses, found))
            found = torch.clamp(center + self._in_ball(offset), low, high)
        return found

    def _direction(self, gradient: Tensor) -> Tensor:
        if self.norm == "linf":
            return gradient.sign()
        length = _lengths(gradient)
        return torch.where(length == 0, 0, gradient / length)  # not `length > 0`: NaN goes on to the loss

    def _in_ball(self, offset: Tensor) -> Tensor:
        if self.norm == "linf":
            return offset.clamp(-self.radius, self.radius)
        length = _lengths(offset)
        return torch.where(length > self.radius, offset * (self.radius / length), offset)


@torch.enable_grad()
def _gradient(losses: Losses, images: Tensor) -> Tensor:
    """Return the gradient by the images alone: no parameter's is touched."""
    moved = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(losses(moved).sum(), moved)
    return gradient


def _lengths(images: Tensor) -> Tensor:
    return torch.linalg.vector_norm(images.flatten(1), dim=1).view(-1, 1, 1, 1)


def random_starts(norm: Norm, radius: float, like: Tensor, indices: Tensor, *address: int | str) -> Tensor:
    """Return a perturbation for each image, uniform in the ball.

    Parameters
    ----------
    like : (N, C, H, W) float32, the images
    indices : (N,) int64, plan index of each
    address : what else the numbers depend on, such as the job's seed and the step

    Returns
    -------
    (N, C, H, W) float32. Images of one plan index (views of a sample) get the same numbers, in whatever batch or
    process.
    """
    key = key_of("attack", *address)
    drawn = [_in_unit_ball(norm, like.shape[1:], key, index) for index in indices.tolist()]
    if not drawn:
        return torch.zeros_like(like)
    return radius * torch.from_numpy(np.stack(drawn)).to(like)


def _in_unit_ball(norm: Norm, shape: tuple[int, ...], key: int, index: int) -> np.ndarray:
    """Return a point (C, H, W) float32, uniform in the unit ball of `norm`."""
    rng = generator_at(key, index)
    if norm == "linf":
        return 2 * rng.random(shape, np.float32) - 1
    direction = rng.standard_normal(shape, np.float32)
    count = math.prod(shape)
    length = np.linalg.norm(direction.reshape(-1))
    return (direction * (rng.random() ** (1 / count) / length)).astype(np.float32)
