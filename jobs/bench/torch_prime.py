"""PRIME the way a user finds it: plain torch, each primitive on the whole batch, masked, as the released code does it.

The distributions are those of the stage's sampler ``released``; the streams are torch's, so the views are others.
Nothing is folded: the fields take all modes, the colours all sines (Modas et al. 2022 and their released code).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from passband.pipeline.augment.prime_options import PrimeOptions


class TorchPrime:
    """A function from images (N, C, H, W) float32 in [0, 1] to one PRIME view of each.

    Parameters
    ----------
    options : of the sampler ``released``, every step of a colour sum in one band from 1
    generator : on the images' device
    """

    def __init__(self, options: PrimeOptions, generator: torch.Generator) -> None:
        if options.beta is None or options.color_band is not None:
            raise ValueError("plain torch has the sampler released, without a band of colours")
        self.options, self.beta, self._generator = options, tuple(options.beta), generator
        self._primitives = [{"spectral": self.spectral, "spatial": self.spatial, "color": self.color}[name]
                            for name in options.primitives]  # fmt: skip

    def __call__(self, images: Tensor) -> Tensor:
        """Return one view of every image."""
        count, options = len(images), self.options
        weights = -self._uniform(count, options.width).log()
        weights = weights / weights.sum(1, keepdim=True)
        depths = self._integers(1, options.depth, count, options.width)
        mixed = torch.zeros_like(images)
        for chain in range(options.width):
            view = images
            for step in range(options.depth):
                alive = _spread(step < depths[:, chain])
                view = torch.where(alive, self._one_step(view), view)
            mixed += _spread(weights[:, chain]) * view
        a, b = self.beta
        share = _spread(self._uniform(count, a + b - 1).sort(1).values[:, a - 1])
        return (1 - share) * images + share * mixed

    def _one_step(self, images: Tensor) -> Tensor:
        kinds = self._integers(0, len(self._primitives) - 1, len(images))
        changed = torch.zeros_like(images)
        for number, primitive in enumerate(self._primitives):
            changed += primitive(images) * _spread(kinds == number)
        return changed

    def spectral(self, images: Tensor) -> Tensor:
        """Return each image through a random filter of its own."""
        count, channels, height, width = images.shape
        size = self.options.spectral_size
        strength = self.options.spectral_strength * self._uniform(count, 1, 1)
        weights = strength * self._normal(count, size, size)
        weights[:, size // 2, size // 2] += 1
        weights = weights.repeat_interleave(channels, 0)[:, None]
        flat = functional.conv2d(images.reshape(1, -1, height, width), weights, padding="same", groups=count * channels)
        return flat.reshape(images.shape).clamp(0, 1)

    def spatial(self, images: Tensor) -> Tensor:
        """Return each image through a random smooth deformation of its own."""
        count, _, height, width = images.shape
        options, side = self.options, min(height, width)
        highest = self._integers(options.spatial_cut_min + 1, options.spatial_cut_max, count)
        cut = options.spatial_cut_min + self._arcsine(count) * (highest - options.spatial_cut_min + 1)
        cut = torch.minimum(cut.floor(), highest)
        least = 1 / (math.pi * side**2 * cut.log())
        most = torch.maximum(least, 4 / (math.pi**3 * cut**2 * cut.log()))
        temperature = least + (most - least) * self._arcsine(count)
        modes = torch.arange(1, options.spatial_cut_max + 1, device=images.device, dtype=images.dtype)
        radius = (modes[:, None] ** 2 + modes**2).sqrt()
        scale = temperature.sqrt()[:, None, None] * (radius < cut[:, None, None] + 0.5) / radius
        fields = [self._field(scale, modes, height, width) for _ in range(2)]
        rows, columns = (torch.linspace(-1, 1, n, device=images.device) for n in (height, width))
        # grid_sample counts a side as 2; displacements are parts of a side of n pixels on n - 1 intervals.
        grid = torch.stack(
            [columns - 2 * fields[0] * width / (width - 1), rows[:, None] - 2 * fields[1] * height / (height - 1)], -1
        )
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=True).clamp(0, 1)

    def _field(self, scale: Tensor, modes: Tensor, height: int, width: int) -> Tensor:
        rows, columns = (
            (math.pi * modes * torch.linspace(0, 1, n, device=scale.device)[:, None]).sin() for n in (height, width)
        )
        coefficients = self._normal(*scale.shape) * scale
        return torch.einsum("nij,yi,xj->nyx", coefficients, rows, columns)

    def color(self, images: Tensor) -> Tensor:
        """Return each image with a random smooth function of its own added to each channel's values."""
        count, channels = images.shape[:2]
        cut, options = self._integers(1, self.options.color_cut, count), self.options
        modes = torch.arange(1, options.color_cut + 1, device=images.device, dtype=images.dtype)
        deviation = (options.color_variance * self._uniform(count)).sqrt()
        coefficients = self._normal(count, channels, len(modes)) * deviation[:, None, None]
        coefficients = coefficients * (modes <= cut[:, None])[:, None]
        sines = (math.pi * modes * images[..., None]).sin()
        return (images + torch.einsum("nchwk,nck->nchw", sines, coefficients)).clamp(0, 1)

    def _arcsine(self, count: int) -> Tensor:
        """Return Beta(1/2, 1/2) variates."""
        return (self._uniform(count) * math.pi / 2).sin() ** 2

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self._generator, device=self._generator.device)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator, device=self._generator.device)

    def _integers(self, low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high + 1, shape, generator=self._generator, device=self._generator.device)


def _spread(values: Tensor) -> Tensor:
    """Return one value an image so that it multiplies images."""
    return values[:, None, None, None]
