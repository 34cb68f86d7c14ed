"""Shear, shift and rotation of uint8 images as torchvision's tensors have them, some rows at a time.

torchvision holds the place in the image of every pixel at once: of one channel of 5000 x 5000 pixels 490 MB. Values are
those of `v2.functional.affine` and `rotate` with bilinear interpolation, bit by bit. Imports torch.
"""

import itertools
import math
from typing import Any

import numpy as np
import torch

Tensor = Any  # torch.Tensor; mypy does not follow torch
_PIXELS_AT_ONCE = 1 << 20
"""At least: torch rounds the places of a few dozen pixels otherwise."""


def sheared(image: Tensor, x: float = 0.0, y: float = 0.0) -> Tensor:
    """Return (1, C, H, W) uint8, sheared by slopes about the upper left corner."""
    height, width = image.shape[-2:]
    angles = [math.radians(math.degrees(math.atan(slope))) for slope in (x, y)]
    return _warped(image, _inverse(shear=(angles[0], angles[1]), center=(-width * 0.5, -height * 0.5)))


def shifted(image: Tensor, x: int = 0, y: int = 0) -> Tensor:
    """Return (1, C, H, W) uint8, moved by pixels to the right and down."""
    return _warped(image, _inverse(shift=(float(x), float(y))))


def rotated(image: Tensor, degrees: float) -> Tensor:
    """Return (1, C, H, W) uint8, turned counterclockwise about the middle, by less than 90 degrees."""
    if degrees % 360 == 0:
        return image
    return _warped(image, _inverse(turn=math.radians(-(degrees % 360))))


def _inverse(
    *,
    turn: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
    shear: tuple[float, float] = (0.0, 0.0),
    center: tuple[float, float] = (0.0, 0.0),
) -> list[float]:
    """Return the matrix, 2 x 3 by rows, from places in the result to places in the image; angles in radians.

    Of R(turn) SHy(shear[1]) SHx(shear[0]), whose determinant is 1, about `center`, then `shift`; in pixels from the
    middle of the image.
    """
    (sx, sy), (cx, cy), (tx, ty) = shear, center, shift
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    x = d * (-cx - tx) + -b * (-cy - ty) + cx
    y = -c * (-cx - tx) + a * (-cy - ty) + cy
    return [d, -b, x, -c, a, y]


def _warped(image: Tensor, matrix: list[float]) -> Tensor:
    """Return the image looked up at the places that `matrix` gives, black where that is outside."""
    height, width = image.shape[-2:]
    half = torch.tensor([0.5 * width, 0.5 * height])
    theta = torch.tensor(matrix).reshape(2, 3).T / half
    columns, rows = (torch.linspace((1.0 - size) * 0.5, (size - 1.0) * 0.5, steps=size) for size in (width, height))
    values, result = image.to(torch.float32), torch.empty_like(image)
    edges = np.linspace(0, height, max(1, min(height, width * height // _PIXELS_AT_ONCE)) + 1).astype(int).tolist()
    for start, stop in itertools.pairwise(edges):
        here = rows[start:stop]
        places = torch.ones(1, len(here), width, 3)
        places[..., 0] = columns
        places[..., 1] = here[:, None]
        grid = places.view(1, -1, 3).bmm(theta[None]).view(1, len(here), width, 2)
        found = torch.nn.functional.grid_sample(values, grid, mode="bilinear", align_corners=False)
        result[:, :, start:stop] = found.round_()
    return result
