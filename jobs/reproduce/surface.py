"""Losses and accuracy over the plane through two trainings' ends and their common start (FGMix, appendix D)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS, kept_name
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1
_MARGIN = 0.2
"""Of the plane beyond the paths, as a share of their extent."""
ORIGINALS, BOTH, ACCURACY = "originals", "both", "accuracy"
AVERAGED = "-SWA"
"""How the name of a path of averaged weights ends."""


@dataclass(frozen=True)
class Plane:
    """A plane in the space of all weights, by orthonormal directions.

    Attributes
    ----------
    origin, across, up : (P,) float64
    """

    origin: Tensor
    across: Tensor
    up: Tensor

    @classmethod
    def through(cls, first: Tensor, second: Tensor, third: Tensor) -> Self:
        """Return the plane of three points (P,): the first is its origin, the second lies across from it."""
        first, second, third = first.double(), second.double(), third.double()
        across = nn.functional.normalize(second - first, dim=0)
        rest = third - first
        return cls(first, across, nn.functional.normalize(rest - (rest @ across) * across, dim=0))

    def coordinates(self, point: Tensor) -> tuple[float, float]:
        """Return where a point (P,) is, projected onto the plane."""
        away = point.double() - self.origin
        return float(away @ self.across), float(away @ self.up)

    def at(self, x: float, y: float) -> Tensor:
        """Return the point (P,) float32 at coordinates."""
        return (self.origin + x * self.across + y * self.up).float()


@dataclass(frozen=True)
class SurfaceTask:
    """Losses of training images, and the accuracy on others, over a plane, and the paths of two trainings on it.

    Both trainings begin alike, and end with averaged weights.

    Attributes
    ----------
    trainings : name of a path -> name of the training's node, of ERM and of FGMix in this order
    dataset : name of the node whose images the losses are of, as in `FlatnessTask`
    test : name of the node that the accuracy is on
    steps : that the trainings have kept, from 0 to their last
    images : of the losses
    points : of the plane, on a side
    """

    trainings: tuple[tuple[str, str], tuple[str, str]]
    dataset: str
    test: str
    steps: tuple[int, ...]
    images: int
    points: int
    kind: ClassVar[str] = "surface"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of trainings, images and all that is asked for."""
        names = [name for _, name in self.trainings]
        made = [needs[name].identity for name in (*names, self.dataset, self.test)]
        return digest({"version": _VERSION, "made": made, **asdict(self)})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write coordinates of the plane's points, what is there, the paths, and what is at their ends."""
        from passband.jobs.reproduce.tasks import kept_model

        torch.set_num_threads(1)
        trained = {path: needs[name] for path, name in self.trainings}
        walked = {path: [_weights(kept_model(made, step)) for step in self.steps] for path, made in trained.items()}
        walked |= {path + AVERAGED: self._averaged(made, walked[path]) for path, made in trained.items()}
        erm, fgmix = (walked[path + AVERAGED][-1] for path, _ in self.trainings)
        plane = Plane.through(next(iter(walked.values()))[0], erm, fgmix)
        paths = {name: [plane.coordinates(point) for point in points] for name, points in walked.items()}
        look = self._look(needs)
        across, up = (_axis([place[axis] for path in paths.values() for place in path], self.points) for axis in (0, 1))
        found = [[look(plane.at(x, y)) for x in across] for y in up]
        results = {
            "kind": self.kind,
            "x": across,
            "y": up,
            **{what: [[one[what] for one in row] for row in found] for what in (ORIGINALS, BOTH, ACCURACY)},
            "paths": paths,
            "ends": {name: look(points[-1]) for name, points in walked.items()},
        }
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _averaged(self, training: Made, plain: Sequence[Tensor]) -> list[Tensor]:
        """Return the averaged weights of each step; before there are any, the weights themselves."""
        from passband.jobs.reproduce.tasks import kept_model

        store = LocalStore(training.path)
        there = [store.exists(kept_name(step, "average")) for step in self.steps]
        return [
            _weights(kept_model(training, step, "average")) if known else weights
            for step, known, weights in zip(self.steps, there, plain, strict=True)
        ]

    def _look(self, needs: Mapping[str, Made]) -> Any:
        """Return what says losses and accuracy, 0 to 1, of weights (P,)."""
        from passband.jobs.reproduce.mixed_losses import MixedLoss, trained_mixtures, training_images
        from passband.jobs.reproduce.tasks import kept_model
        from passband.jobs.training.batches import to_device
        from passband.jobs.training.predict import stored_order
        from passband.pipeline.networks.network import load_network

        fgmix, last = needs[self.trainings[1][1]], self.steps[-1]
        network = load_network(kept_model(fgmix, last))
        images = training_images(needs[self.dataset].path, self.images)
        loss = MixedLoss(images, trained_mixtures(fgmix, last, network, images))
        with stored_order(needs[self.test].path, ["clean"], 1 << 16, workers=1) as stream:
            test = to_device(next(iter(stream)), torch.device("cpu"))

        def look(weights: Tensor) -> dict[str, float]:
            vector_to_parameters(weights, network.parameters())
            originals, both = loss.of(network)
            with torch.no_grad():
                right = network(test.first).argmax(1) == test.labels
            return {ORIGINALS: originals, BOTH: both, ACCURACY: float(right.float().mean())}

        return look


def _weights(path: str) -> Tensor:
    from passband.pipeline.networks.network import load_network

    return parameters_to_vector(load_network(path).parameters()).detach()


def _axis(values: Sequence[float], points: int) -> list[float]:
    """Return coordinates that reach beyond all `values`."""
    beyond = _MARGIN * (max(values) - min(values))
    found: NDArray[np.float64] = np.linspace(min(values) - beyond, max(values) + beyond, points)
    return found.tolist()
