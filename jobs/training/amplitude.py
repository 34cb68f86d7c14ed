"""SADA's attack on amplitude spectra, against the network that is being trained (Zhang et al. 2023, Algorithm 1)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Logits = Callable[[Tensor], Tensor]
"""From images (N, C, H, W) to logits (N, classes)."""


@dataclass(frozen=True)
class AmplitudeAttack:
    """Changes amplitudes and keeps phases, until the network errs; every frequency has the same sensitivity, 1.

    Attributes
    ----------
    steps : updates at most
    step_size : relative change of an amplitude, 0 to 1
    """

    steps: int
    step_size: float

    def __call__(self, logits: Logits, images: Tensor, labels: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return images that are harder to tell, and how many updates each took.

        Parameters
        ----------
        images : (N, C, H, W) float32 in [0, 1]
        labels : (N,) int64
        noise : (N, C, H, W) float32 in [-1, 1], U of eq. 6: amplitudes begin at A (1 + U)

        Returns
        -------
        (N, C, H, W) float32 in [0, 1] without gradient, (N,) int64

        Notes
        -----
        What is changed is the factor of each amplitude on the full grid: s <- s (1 + step_size sign(dl/ds)), whose
        sign is that of dl/dA (eq. 7). The real part of the inverse is that of the symmetric part of s (METHODS 3.3).
        """
        going, taken = torch.ones_like(labels, dtype=torch.bool), torch.zeros_like(labels)
        if not len(images):  # of a process that has no sample of a batch; an FFT of nothing is an error
            return images.detach(), taken
        spectra, scale = torch.fft.fft2(images.detach()), 1 + noise
        for _ in range(self.steps):
            gradient, right = _ascent(logits, spectra, scale, labels)
            going = going & right
            if not going.any():
                break
            factor = torch.where(going[:, None, None, None], 1 + self.step_size * gradient.sign(), 1)
            scale, taken = scale * factor, taken + going
        return _images(spectra, scale), taken


@torch.enable_grad()
def _ascent(logits: Logits, spectra: Tensor, scale: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of the losses by the scale, and which samples are told right."""
    moved = scale.detach().requires_grad_()
    found = logits(_images(spectra, moved))
    (gradient,) = torch.autograd.grad(nn.functional.cross_entropy(found, labels, reduction="sum"), moved)
    return gradient, found.detach().argmax(1) == labels


def _images(spectra: Tensor, scale: Tensor) -> Tensor:
    return torch.fft.ifft2(spectra * scale).real.clamp(0, 1)
