"""SparseFool (Modas, Moosavi-Dezfooli & Frossard, CVPR 2019) on many samples at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from passband.pipeline.attacks.compaction import Rows, work_off
from passband.pipeline.attacks.deepfool import DeepFool, Images, Integers, Reached
from passband.pipeline.attacks.linear_solver import solve
from passband.pipeline.surrogate.gradients import difference


class Sparse(NamedTuple):
    """Where N samples came to.

    Attributes
    ----------
    images : (N, C, H, W) float32
        Within the bounds.
    own, predictions : (N,) int64
        Of the images as they were given, and as they are now.
    reached : (N,) bool
        Whether the two differ; of a target, whether it is predicted.
    rounds, steps : (N,) int64
        Linear problems solved, and steps of DeepFool in all of them.
    """

    images: Images
    own: Integers
    predictions: Integers
    reached: NDArray[np.bool_]
    rounds: Integers
    steps: Integers


@dataclass(frozen=True)
class SparseFool:
    """Algorithm 2 of the thesis: find a boundary point by DeepFool, linearise there, solve for few pixels; and again.

    Attributes
    ----------
    deepfool : DeepFool
    past : float, 1 or more
        lambda: the hyperplane passes through x + lambda (x_B - x).
    rounds : int
        At most.
    overshoot : float
        Success is judged at x_0 + (1 + overshoot) (x_i - x_0), clipped to the bounds: that is the result.
    beyond : float
        How far over the hyperplane, of a normal of length 1, the linear problem aims.
    """

    deepfool: DeepFool
    past: float = 3.0
    rounds: int = 20
    overshoot: float = 0.02
    beyond: float = 1e-3

    def run(self, images: Images, low: Images, high: Images, targets: Integers | None = None) -> Sparse:
        """Perturb N samples.

        Parameters
        ----------
        images, low, high : (N, C, H, W) float32
            The bounds of every element: of the range of pixels, or nearer to the image (perceptibility).
        targets : (N,) int64
            The class that each sample is moved to.
        """
        kernels, count = self.deepfool.kernels, len(images)
        start, lowest, highest = map(kernels.to_torch, (images, low, high))
        current, result = start.clone(), start.clone()
        rounds, steps = np.zeros((2, count), np.int64)
        own = predictions = self._predict(images)
        reached = predictions == targets if targets is not None else np.zeros(count, np.bool_)
        for _ in range(self.rounds):
            if not len(rows := np.flatnonzero(~reached)):
                break
            index = torch.from_numpy(rows).to(start.device)
            found = self.deepfool.run(kernels.from_torch(current[index]), None if targets is None else targets[rows])
            bounds = lowest[index], highest[index]
            current[index] = self._solved(current[index], found, bounds, None if targets is None else targets[rows])
            longer = start[index] + (1 + self.overshoot) * (current[index] - start[index])
            result[index] = torch.minimum(torch.maximum(longer, bounds[0]), bounds[1])
            now = self._predict(kernels.from_torch(result[index]))
            predictions = _with(predictions, rows, now)
            reached = _with(reached, rows, now != own[rows] if targets is None else now == targets[rows])
            rounds[rows] += 1
            steps[rows] += found.steps
        return Sparse(kernels.from_torch(result), own, predictions, reached, rounds, steps)

    def _predict(self, images: Images) -> Integers:
        surrogate, found = self.deepfool.surrogate, np.empty(len(images), np.int64)

        def work(first: int, last: int) -> None:
            found[first:last] = surrogate.predict(images[first:last])

        self.deepfool.kernels.for_ranges(work, len(images), surrogate.batch)
        return found

    def _solved(
        self, points: Tensor, found: Reached, bounds: tuple[Tensor, Tensor], targets: Integers | None
    ) -> Tensor:
        """Return each point moved over the hyperplane that stands for the boundary where DeepFool met it."""
        surrogate, kernels = self.deepfool.surrogate, self.deepfool.kernels
        solved, perturbations = torch.empty_like(points), kernels.to_torch(found.perturbations)
        to = found.predictions if targets is None else targets

        def look(rows: Rows) -> Rows:
            index = torch.from_numpy(rows).to(points.device)
            chosen, r = points[index], perturbations[index]
            with surrogate.calling():
                normals = self._normals(chosen + r, found.own[rows], to[rows], targeted=targets is not None)
                box = bounds[0][index], bounds[1][index]
                solved[index] = solve(chosen, normals, chosen + self.past * r, *box, self.beyond)
            return rows[:0]

        work_off(look, len(points), surrogate.batch, kernels)
        return solved

    def _normals(self, boundary: Tensor, own: Integers, to: Integers, *, targeted: bool) -> Tensor:
        """Return grad f_to - grad f_from at boundary points, of length 1: (N, C, H, W), zero where there is none.

        It leads from the own class; of a target, from the class that leads of all others. To where DeepFool came; where
        it came nowhere, to the class that leads of all others there.
        """
        surrogate, count = self.deepfool.surrogate, len(boundary)
        points = torch.zeros(surrogate.batch, *surrogate.shape, device=surrogate.device)
        points[:count] = boundary
        gradients = surrogate.gradients(points)
        pair = torch.zeros(surrogate.batch, 2, dtype=torch.int64, device=surrogate.device)
        pair[:count] = _pairs(gradients.logits[:count], own, to, targeted=targeted)
        normals = gradients.of(difference(gradients.logits, pair[:, :1], pair[:, 1:]))
        lengths = torch.linalg.vector_norm(normals.flatten(1), dim=1)[:, None, None, None]
        return torch.where(lengths > 0, normals / lengths, 0)[:count]


def _pairs(logits: Tensor, own: Integers, to: Integers, *, targeted: bool) -> Tensor:
    """Return the classes of both sides of a boundary, (N, 2): to, from."""
    own_, to_ = (torch.from_numpy(classes).to(logits.device)[:, None] for classes in (own, to))
    if targeted:
        return torch.cat([to_, logits.scatter(1, to_, -torch.inf).argmax(1, keepdim=True)], 1)
    other = logits.scatter(1, own_, -torch.inf).argmax(1, keepdim=True)
    return torch.cat([torch.where(to_ == own_, other, to_), own_], 1)


def _with(values: NDArray, rows: Rows, new: NDArray) -> NDArray:
    changed = values.copy()
    changed[rows] = new
    return changed
