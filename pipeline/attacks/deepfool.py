"""DeepFool (Moosavi-Dezfooli, Fawzi & Frossard, CVPR 2016) on many samples at once, also within subspaces.

Layouts: images and perturbations (N, C, H, W); candidates (N, K), the classes that a sample may be moved to.
"""

from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from passband.pipeline.attacks.compaction import Rows, work_off
from passband.pipeline.attacks.subspaces import Within
from passband.pipeline.surrogate.gradients import Gradients, difference
from passband.pipeline.surrogate.model import Surrogate

Images = NDArray[np.float32]
Integers = NDArray[np.int64]


class Reached(NamedTuple):
    """Where N samples came to.

    Attributes
    ----------
    perturbations : (N, C, H, W) float32
        r, without the overshoot: x + r is next to the boundary.
    own : (N,) int64
        Prediction of x.
    predictions : (N,) int64
        Of x + (1 + overshoot) r, as it was looked at last.
    reached : (N,) bool
        Whether that is another class than `own`; of a target, whether it is the target.
    steps : (N,) int64
    stuck : (N,) bool
        Whether no step was to be had: no gradient of any class differs from its own's (in the subspace).
    """

    perturbations: Images
    own: Integers
    predictions: Integers
    reached: NDArray[np.bool_]
    steps: Integers
    stuck: NDArray[np.bool_]


@dataclass(frozen=True)
class DeepFool:
    """Linearise the logits, step to the nearest boundary, and again, until the prediction is another.

    A step is r += max(|f_k - f_c| / ||w||, least) w / ||w|| with w = grad f_k - grad f_c at x + r, k the candidate of
    the least |f_k - f_c| / ||w||, c the prediction of x. Towards a target, k is the target, and c the class that leads
    of all others. There is no box, as in the paper, unless bounds are given: then w is zero where an element is at its
    bound and would leave it, and a step ends at the bounds.

    Attributes
    ----------
    classes : int
        Candidates: so many of the largest logits of x, its own among them.
    steps : int
        At most.
    overshoot : float
        Success is judged at x + (1 + overshoot) r; steps begin at x + r, as in the authors' code of SparseFool.
    least : float
        Length of the shortest step.
    within : Within or None
        In a subspace S, w is replaced by P_S w throughout (Ortiz-Jimenez et al. 2020, "Hold me tight", section 2.1).
    """

    surrogate: Surrogate
    kernels: ModuleType
    classes: int = 10
    steps: int = 50
    overshoot: float = 0.02
    least: float = 1e-4
    within: Within | None = None

    def run(
        self, images: Images, targets: Integers | None = None, bounds: tuple[Images, Images] | None = None
    ) -> Reached:
        """Perturb N samples.

        Parameters
        ----------
        images : (N, C, H, W) float32
        targets : (N,) int64
            The class that each sample is moved to; a sample that is of it already is done at once.
        bounds : two of (N, C, H, W) float32
            The least and the greatest that each element may become; what is judged is clipped to them.
        """
        walk = _Walk(self, images, targets, bounds)
        work_off(walk.look, len(images), self.surrogate.batch, self.kernels)
        return walk.outcome()


class _Walk:
    """The state of every sample of one run; threads look at different rows at once."""

    def __init__(
        self, attack: DeepFool, images: Images, targets: Integers | None, bounds: tuple[Images, Images] | None
    ) -> None:
        self._attack, self._images, self._targets = attack, attack.kernels.to_torch(images), targets
        self._bounds = None if bounds is None else tuple(map(attack.kernels.to_torch, bounds))
        count = len(images)
        self._perturbations = torch.zeros_like(self._images)
        self._own, self._predictions = np.full((2, count), -1)
        self._candidates = np.empty((count, min(attack.classes, attack.surrogate.num_classes) - 1), np.int64)
        self._steps = np.zeros(count, np.int64)
        self._reached, self._stuck = np.zeros((2, count), np.bool_)

    def outcome(self) -> Reached:
        """Return where all samples came to."""
        perturbations = self._attack.kernels.from_torch(self._perturbations)
        return Reached(perturbations, self._own, self._predictions, self._reached, self._steps, self._stuck)

    def look(self, rows: Rows) -> Rows:
        """Judge samples; return those that are neither over the boundary nor out of steps, one step further."""
        surrogate, fresh = self._attack.surrogate, bool((self._own[rows] < 0).all())
        with surrogate.calling():
            # at an image itself, where r is 0, what is judged is where the step begins
            gradients = surrogate.gradients(self._points(rows, 1)) if fresh else None
            self._judge(rows, self._logits(rows) if gradients is None else gradients.logits)
            going = rows[~self._reached[rows] & (self._steps[rows] < self._attack.steps)]
            return self._step(going, gradients if len(going) == len(rows) else None) if len(going) else going

    def _logits(self, rows: Rows) -> Tensor:
        with torch.inference_mode():
            return self._attack.surrogate.logits(self._points(rows, 1 + self._attack.overshoot)).float()

    def _points(self, rows: Rows, factor: float) -> Tensor:
        """Return x + factor r of samples, as the surrogate takes them: (batch, C, H, W)."""
        surrogate, index = self._attack.surrogate, torch.from_numpy(rows).to(self._images.device)
        points = torch.zeros(surrogate.batch, *surrogate.shape, device=surrogate.device)
        points[: len(rows)] = self._within(self._images[index] + factor * self._perturbations[index], index)
        return points

    def _within(self, points: Tensor, index: Tensor) -> Tensor:
        if self._bounds is None:
            return points
        low, high = self._bounds
        return torch.minimum(torch.maximum(points, low[index]), high[index])

    def _free(self, normals: Tensor, points: Tensor, rows: Rows) -> Tensor:
        """Return normals without the elements that are at a bound and would leave it."""
        if self._bounds is None:
            return normals
        index, count = torch.from_numpy(rows).to(self._images.device), len(rows)
        low, high = (bound[index] for bound in self._bounds)
        at, towards = points[:count], normals[:count]
        free = ((at > low) | (towards > 0)) & ((at < high) | (towards < 0))
        return torch.cat([towards * free, normals[count:]])

    def _judge(self, rows: Rows, logits: Tensor) -> None:
        logits = logits[: len(rows)]
        predictions = logits.argmax(1).cpu().numpy()
        fresh = np.flatnonzero(self._own[rows] < 0)
        self._own[rows[fresh]] = predictions[fresh]
        self._predictions[rows] = predictions
        if self._targets is None:
            self._reached[rows] = predictions != self._own[rows]
            if len(fresh):
                self._candidates[rows[fresh]] = _others(logits, self._candidates.shape[1])[fresh].cpu().numpy()
        else:
            self._reached[rows] = predictions == self._targets[rows]

    def _step(self, rows: Rows, gradients: Gradients | None) -> Rows:
        """Take a step with every sample that can, by the gradients at x + r where they are known; return those."""
        count, points = len(rows), self._points(rows, 1)
        gradients = gradients or self._attack.surrogate.gradients(points)
        rivals, own = self._pairs(rows, gradients.logits)
        distances, steps = self._nearest(points, gradients, rivals, own, rows)
        movable = torch.isfinite(distances)[:count].cpu().numpy()
        self._stuck[rows[~movable]] = True
        moved = rows[movable]
        index = torch.from_numpy(moved).to(self._images.device)
        images = self._images[index]
        further = self._perturbations[index] + steps[:count][torch.from_numpy(movable).to(steps.device)]
        self._perturbations[index] = further if self._bounds is None else self._within(images + further, index) - images
        self._steps[moved] += 1
        return moved

    def _pairs(self, rows: Rows, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the classes that each sample may be moved to, (batch, K), and the one it is moved from, (batch, 1)."""
        size, count = len(logits), len(rows)
        if self._targets is None:
            chosen = torch.from_numpy(self._candidates[rows]).to(logits.device)
            own = torch.from_numpy(self._own[rows]).to(logits.device)[:, None]
        else:
            chosen = torch.from_numpy(self._targets[rows]).to(logits.device)[:, None]
            own = logits[:count].scatter(1, chosen, -torch.inf).argmax(1, keepdim=True)
        rivals, owns = chosen.new_zeros(size, chosen.shape[1]), own.new_zeros(size, 1)
        rivals[:count], owns[:count] = chosen, own
        return rivals, owns

    def _nearest(
        self, points: Tensor, gradients: Gradients, rivals: Tensor, own: Tensor, rows: Rows
    ) -> tuple[Tensor, Tensor]:
        """Return the distance to the nearest linearised boundary, (batch,), and the step there, (batch, C, H, W).

        The distance is infinite where no gradient differs from the own class's.
        """
        logits, kept = gradients.logits, None
        projections = None if self._attack.within is None else self._attack.within.at(rows, len(points))
        distances = logits.new_full((len(points),), torch.inf)
        lengths = torch.ones_like(distances)
        for column in range(rivals.shape[1]):
            rival = rivals[:, column : column + 1]
            normals = self._free(gradients.of(difference(logits, rival, own)), points, rows)
            if projections is not None:
                normals = projections.coordinates(normals)
            kept = torch.zeros_like(normals) if kept is None else kept
            norms = torch.linalg.vector_norm(normals, dim=tuple(range(1, normals.ndim)))
            apart = (logits.gather(1, rival) - logits.gather(1, own)).abs()[:, 0]
            found = torch.where(norms > 0, apart / norms, torch.inf)
            nearer = (found < distances).nonzero()[:, 0]
            distances[nearer], lengths[nearer], kept[nearer] = found[nearer], norms[nearer], normals[nearer]
        assert kept is not None
        nearest = kept if projections is None else projections.combined(kept)
        reach = distances.clamp(min=self._attack.least, max=torch.finfo(distances.dtype).max) / lengths
        return distances, reach[:, None, None, None] * nearest


def _others(logits: Tensor, most: int) -> Tensor:
    """Return the classes of the largest logits of each sample but the greatest: (N, most)."""
    return logits.scatter(1, logits.argmax(1, keepdim=True), -torch.inf).topk(most, dim=1).indices
