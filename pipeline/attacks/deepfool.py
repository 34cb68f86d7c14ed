"""DeepFool (Moosavi-Dezfooli, Fawzi & Frossard, CVPR 2016) on many samples at once, also within subspaces.

Layouts: images and perturbations (N, C, H, W); candidates (N, K), the classes that a sample may be moved to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from passband.pipeline.attacks.compaction import Rows, work_off
from passband.pipeline.surrogate.model import Surrogate

Images = NDArray[np.float32]
Integers = NDArray[np.int64]
Project = Callable[[Tensor, Rows], Tensor]
"""(normals (batch, C, H, W), rows) -> the normals' orthogonal projections on the subspace of each row; there are more
normals than rows, of which the others are zero."""


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
    project : callable or None
        In a subspace S, w is replaced by P_S w throughout (Ortiz-Jimenez et al. 2020, "Hold me tight", section 2.1).
    """

    surrogate: Surrogate
    kernels: ModuleType
    classes: int = 10
    steps: int = 50
    overshoot: float = 0.02
    least: float = 1e-4
    project: Project | None = None

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
        self._candidates: list[Tensor | None] = [None] * count
        self._steps = np.zeros(count, np.int64)
        self._reached, self._stuck = np.zeros((2, count), np.bool_)

    def outcome(self) -> Reached:
        """Return where all samples came to."""
        perturbations = self._attack.kernels.from_torch(self._perturbations)
        return Reached(perturbations, self._own, self._predictions, self._reached, self._steps, self._stuck)

    def look(self, rows: Rows) -> Rows:
        """Judge samples; return those that are neither over the boundary nor out of steps, one step further."""
        with self._attack.surrogate.calling():
            self._judge(rows)
            going = rows[~self._reached[rows] & (self._steps[rows] < self._attack.steps)]
            return self._step(going) if len(going) else going

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
        """Return normals without the elements that are at a bound and would leave it, in the subspace of each row."""
        if self._bounds is not None:
            index, count = torch.from_numpy(rows).to(self._images.device), len(rows)
            low, high = (bound[index] for bound in self._bounds)
            at, towards = points.detach()[:count], normals[:count]
            free = ((at > low) | (towards > 0)) & ((at < high) | (towards < 0))
            normals = torch.cat([towards * free, normals[count:]])
        return normals if self._attack.project is None else self._attack.project(normals, rows)

    def _judge(self, rows: Rows) -> None:
        attack = self._attack
        with torch.inference_mode():
            logits = attack.surrogate.logits(self._points(rows, 1 + attack.overshoot))[: len(rows)].float()
            predictions = logits.argmax(1).cpu().numpy()
        fresh = self._own[rows] < 0
        self._own[rows[fresh]] = predictions[fresh]
        self._predictions[rows] = predictions
        if self._targets is None:
            self._reached[rows] = predictions != self._own[rows]
            for at in np.flatnonzero(fresh).tolist():
                self._candidates[rows[at]] = _others(logits[at], attack.classes, predictions[at])
        else:
            self._reached[rows] = predictions == self._targets[rows]

    def _step(self, rows: Rows) -> Rows:
        """Take a step with every sample that can; return those."""
        attack, count = self._attack, len(rows)
        points = self._points(rows, 1).requires_grad_()
        with torch.enable_grad():
            logits = attack.surrogate.logits(points).float()
            rivals, own = self._pairs(rows, logits.detach())
            distances, steps = self._nearest(points, logits, rivals, own, rows)
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
            chosen = torch.stack([kept for row in rows.tolist() if (kept := self._candidates[row]) is not None])
            own = torch.from_numpy(self._own[rows]).to(logits.device)[:, None]
        else:
            chosen = torch.from_numpy(self._targets[rows]).to(logits.device)[:, None]
            own = logits[:count].scatter(1, chosen, -torch.inf).argmax(1, keepdim=True)
        rivals, owns = chosen.new_zeros(size, chosen.shape[1]), own.new_zeros(size, 1)
        rivals[:count], owns[:count] = chosen, own
        return rivals, owns

    def _nearest(
        self, points: Tensor, logits: Tensor, rivals: Tensor, own: Tensor, rows: Rows
    ) -> tuple[Tensor, Tensor]:
        """Return the distance to the nearest linearised boundary, (batch,), and the step there, (batch, C, H, W).

        The distance is infinite where no gradient differs from the own class's.
        """
        distances, nearest = logits.new_full((len(points),), torch.inf), torch.zeros_like(points)
        lengths = torch.ones_like(distances)
        from_own = _gradient(logits, own, points, keep=True)
        for column in range(rivals.shape[1]):
            rival = rivals[:, column : column + 1]
            normals = _gradient(logits, rival, points, keep=column + 1 < rivals.shape[1]) - from_own
            normals = self._free(normals, points, rows)
            norms = torch.linalg.vector_norm(normals, dim=(1, 2, 3))
            differences = (logits.detach().gather(1, rival) - logits.detach().gather(1, own)).abs()[:, 0]
            found = torch.where(norms > 0, differences / norms, torch.inf)
            nearer = found < distances
            distances, lengths = torch.where(nearer, found, distances), torch.where(nearer, norms, lengths)
            nearest = torch.where(nearer[:, None, None, None], normals, nearest)
        reach = distances.clamp(min=self._attack.least, max=torch.finfo(distances.dtype).max) / lengths
        return distances, reach[:, None, None, None] * nearest


def _gradient(logits: Tensor, classes: Tensor, points: Tensor, *, keep: bool) -> Tensor:
    """Return the gradient of one logit of each sample: (batch, C, H, W)."""
    return torch.autograd.grad(logits.gather(1, classes).sum(), points, retain_graph=keep)[0]


def _others(logits: Tensor, most: int, own: int) -> Tensor:
    """Return the classes of the largest logits, at most `most`, without `own`: (K - 1,)."""
    leading = logits.topk(min(most, len(logits))).indices
    return leading[leading != own].clone()
