"""LinearSolver of SparseFool: the least l1 way over a hyperplane within a box, in one pass (METHODS 8)."""

import torch
from torch import Tensor


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
    x, w, b = (tensor.flatten(1).double() for tensor in (points, normals, boundary))
    lowest, highest = low.flatten(1).double(), high.flatten(1).double()
    missing = beyond - (w * (x - b)).sum(1, keepdim=True)
    sizes, order = w.abs().sort(dim=1, descending=True, stable=True)
    room = torch.where(w > 0, highest - x, x - lowest).gather(1, order)
    given = sizes * room
    before = given.cumsum(1) - given
    wanted = torch.where(sizes > 0, (missing - before) / sizes, 0)
    moves = torch.zeros_like(x).scatter(1, order, torch.minimum(wanted.clamp(min=0), room))
    return torch.minimum(torch.maximum(x + moves * w.sign(), lowest), highest).to(points.dtype).view_as(points)
