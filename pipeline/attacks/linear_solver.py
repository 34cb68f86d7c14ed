"""LinearSolver of SparseFool: the least l1 way over a hyperplane within a box, in one pass (METHODS 8)."""

import torch
from torch import Tensor

_FEW = 256
"""Coordinates that are looked at first."""


def solve(points: Tensor, normals: Tensor, boundary: Tensor, low: Tensor, high: Tensor, beyond: float = 0.0) -> Tensor:
    """Move points over hyperplanes, w.(x - x_B) = 0, by as little as possible in the l1 norm, within a box.

    Parameters
    ----------
    points, normals, boundary : (N, ...) float32
        x, w and x_B. A point on the far side, w.(x - x_B) > 0, is left where it is.
    low, high : (N, ...) float32
        The box; x lies in it.
    beyond : float, 0 or more
        w.(x - x_B) that is aimed at.

    Returns
    -------
    (N, ...) float32, in the box; short of the hyperplane where the box is.

    Notes
    -----
    Algorithm 1 of the thesis walks the coordinates by descending |w_d|, each by what is still missing, clipped to the
    box. What is missing when a coordinate is reached is the whole less the sum of what those before it can give, so
    that one sort and one cumulative sum (in float64) are the loop. (3.4) as printed adds |w.(x - x_B)| sign(w_d) /
    |w_d|: right only while w.(x - x_B) < 0. It is also the solution of the linear programme
    min ||delta||_1 : w.(x + delta - x_B) = beyond, low <= x + delta <= high.
    """
    x, w = points.flatten(1), normals.flatten(1)
    lowest, highest = low.flatten(1), high.flatten(1)
    missing = beyond - (w.double() * (x.double() - boundary.flatten(1))).sum(1, keepdim=True)
    room = torch.where(w > 0, highest - x, x - lowest)
    moved, solved = x.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for most in (_FEW, x.shape[1]):  # few coordinates solve most problems, and all need not be sorted for those
        rows = (~solved).nonzero()[:, 0]
        if len(rows):
            order = _largest(w[rows].abs(), min(most, x.shape[1]))
            moves, left = _moves(w[rows].gather(1, order), room[rows].gather(1, order), missing[rows])
            moved[rows] = x[rows].scatter_add(1, order, moves)
            solved[rows] = ~left
    return torch.minimum(torch.maximum(moved, lowest), highest).view_as(points)


def _largest(sizes: Tensor, most: int) -> Tensor:
    """Return the indices of the largest, in descending order; the same for a row whatever the others are."""
    if most == sizes.shape[1]:
        return sizes.sort(dim=1, descending=True, stable=True).indices
    return sizes.topk(most, dim=1).indices


def _moves(normals: Tensor, room: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each coordinate goes, (N, K), and whether something is missing still, (N,)."""
    sizes = normals.double().abs()
    given = sizes * room
    before = given.cumsum(1) - given
    wanted = torch.where(sizes > 0, (missing - before) / sizes, 0).clamp(min=0)
    return (torch.minimum(wanted, room.double()) * normals.sign()).to(room.dtype), given.sum(1) < missing[:, 0]
