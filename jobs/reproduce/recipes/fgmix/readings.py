"""The numbers of FGMix's figures in the results of their nodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from passband.jobs.reproduce.rows import IMAGES, LOSS, MIXTURES, PLACE, RATIO, RISE, TIME, Unit


@dataclass(frozen=True)
class FlatnessAt:
    """The mean squared rise of the loss at a distance from the trained weights; `radius` is its number."""

    node: str
    radius: int
    unit: ClassVar[Unit] = RISE

    def value(self, results: Mapping[str, Any]) -> float:
        """Return what was measured."""
        return float(results["squared_rise"][self.radius])


@dataclass(frozen=True)
class ShareLogged:
    """A share that a training logged at its end."""

    node: str
    unit: ClassVar[Unit] = MIXTURES

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the share in percent."""
        return 100 * float(results["mean"])


@dataclass(frozen=True)
class EndPlace:
    """Where a path over a surface ends; `axis` is 0 across, 1 up."""

    node: str
    path: str
    axis: int
    unit: ClassVar[Unit] = PLACE

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the coordinate."""
        return float(results["paths"][self.path][-1][self.axis])


@dataclass(frozen=True)
class EndLoss:
    """A loss of the network in which a path ends: of "originals", or of "both", mixtures included."""

    node: str
    path: str
    what: str
    unit: ClassVar[Unit] = LOSS

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the loss."""
        return float(results["ends"][self.path][self.what])


@dataclass(frozen=True)
class EndAccuracy:
    """The accuracy, on the domain left out, of the network in which a path ends."""

    node: str
    path: str
    unit: ClassVar[Unit] = IMAGES

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the accuracy in percent."""
        return 100 * float(results["ends"][self.path]["accuracy"])


@dataclass(frozen=True)
class StepTime:
    """The median time of a step of an objective."""

    node: str
    objective: str
    unit: ClassVar[Unit] = TIME

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the time in milliseconds."""
        return float(results["ms"][self.objective])


@dataclass(frozen=True)
class StepRatio:
    """The median time of a step of an objective over that of another."""

    node: str
    objective: str
    other: str
    unit: ClassVar[Unit] = RATIO

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the ratio."""
        return float(results["ms"][self.objective]) / float(results["ms"][self.other])
