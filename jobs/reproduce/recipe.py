"""What is reproduced: a graph, what of it is measured, and the tables that show it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.rows import (
    DISTANCE,
    ENERGY,
    GRADIENT,
    IMAGE_MARGIN,
    IMAGES,
    MARGIN,
    NORM,
    PERCENT,
    POINTS,
    SCORE,
    SECONDS,
    SHARPNESS,
    Block,
    Row,
    Table,
    Unit,
)


class Reading(Protocol):
    """A number in the results of a node."""

    unit: ClassVar[Unit]

    @property
    def node(self) -> str:
        """Name of the node."""

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the number, in its unit, from what the node's ``results.json`` says; None where it cannot be said."""


@dataclass(frozen=True)
class Seen:
    """An accuracy that an evaluation has measured."""

    evaluation: str
    dataset: str
    view: str
    unit: ClassVar[Unit] = PERCENT

    @property
    def node(self) -> str:
        """Name of the evaluation."""
        return self.evaluation

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the accuracy in percent."""
        return 100 * float(results["accuracy"][self.dataset][self.view])


@dataclass(frozen=True)
class TrainingSeconds:
    """How long a training took, as it says itself: a measurement, of the machine that it ran on as well."""

    training: str
    unit: ClassVar[Unit] = SECONDS

    @property
    def node(self) -> str:
        """Name of the training."""
        return self.training

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the seconds from the results of a training."""
        return float(results["seconds"])


@dataclass(frozen=True)
class MapNorm:
    """The mean l1 norm of a sensitivity map: its mean error rate, 0 to 1.

    Attributes
    ----------
    what : "mean_l1", or "standard_error" of it, by the choice of the images that were looked at
    """

    node: str
    map: str
    what: str = "mean_l1"
    unit: ClassVar[Unit] = NORM

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the number from the results of an analysis."""
        found: float | None = {entry["name"]: entry[self.what] for entry in results["maps"]}[self.map]
        return found


@dataclass(frozen=True)
class MarginOf:
    """The margin of a network along a direction of synthetic points.

    Attributes
    ----------
    read : says it of an entry of ``margins`` in the results; None where no margin was found
    """

    node: str
    direction: str
    read: Callable[[Mapping[str, Any]], float | None]
    unit: ClassVar[Unit] = MARGIN

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the margin from what the node found."""
        return self.read(results["margins"][self.direction])


@dataclass(frozen=True)
class PointsSeen:
    """The accuracy of a network at synthetic points that it was not trained on."""

    node: str
    unit: ClassVar[Unit] = POINTS

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the accuracy in percent."""
        return 100 * float(results["accuracy"]["test"])


@dataclass(frozen=True)
class ImagesSeen(Seen):
    """An accuracy beside which none is better, since the networks are not rivals."""

    unit: ClassVar[Unit] = IMAGES


@dataclass(frozen=True)
class MarginAt:
    """A quantile of the margins of images within a subspace.

    Attributes
    ----------
    family, subspace : name of the subspaces, and number of the one
    quantile : "low", "median" or "high"
    """

    node: str
    family: str
    subspace: int
    quantile: str
    unit: ClassVar[Unit] = IMAGE_MARGIN

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the quantile of the images whose boundary was reached; None where there is none."""
        found: float | None = _subspace(results, self.family, self.subspace)[self.quantile]
        return found


@dataclass(frozen=True)
class Unreached:
    """The share of images that no step within a subspace moved over a boundary."""

    node: str
    family: str
    subspace: int
    unit: ClassVar[Unit] = IMAGES

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the share in percent."""
        row = _subspace(results, self.family, self.subspace)
        return 100 * float(row["unreachable"]) / float(row["images"])


def _subspace(results: Mapping[str, Any], family: str, number: int) -> Mapping[str, Any]:
    """Return the row of a subspace in the results of ``analyze margins``."""
    rows: dict[Any, Mapping[str, Any]] = {(row["family"], row["subspace"]): row for row in results["table"]}
    return rows[family, number]


@dataclass(frozen=True)
class EnergyAt:
    """The share of the energy of adversarial perturbations within a subspace: that which 95 % stay below."""

    node: str
    subspace: int
    unit: ClassVar[Unit] = ENERGY

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the share in percent."""
        return 100 * float(results["energy"][self.subspace][2])


@dataclass(frozen=True)
class MedianEnergy:
    """The median share of the energy of views, or of what they add to the clean image, within a subspace.

    Attributes
    ----------
    views : name of the recipe
    energy : "own" or "added"
    """

    node: str
    views: str
    energy: str
    subspace: int
    unit: ClassVar[Unit] = ENERGY

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the share in percent; None where no view has energy."""
        medians = {(row["views"], row["energy"], row["subspace"]): row["median"] for row in results["table"]}
        share = medians[self.views, self.energy, self.subspace]
        return None if share is None else 100 * float(share)


@dataclass(frozen=True)
class GradientNormAt:
    """The norm of the gradient of a view's mean loss after an epoch of a training."""

    node: str
    view: str
    epoch: str
    quantity: ClassVar[str] = "gradient_norm"
    unit: ClassVar[Unit] = GRADIENT

    def value(self, results: Mapping[str, Any]) -> float:
        """Return what was watched."""
        return float(results[self.quantity][self.view][self.epoch])


@dataclass(frozen=True)
class SharpnessAt(GradientNormAt):
    """The rise of a view's mean loss a step along its gradient, after an epoch of a training."""

    quantity: ClassVar[str] = "sharpness"
    unit: ClassVar[Unit] = SHARPNESS


@dataclass(frozen=True)
class ScoresWithin:
    """The share of the images of a severity whose weight is within a bin."""

    node: str
    severity: int
    bin: int
    unit: ClassVar[Unit] = IMAGES

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the share in percent; None where no image has the severity."""
        found = results["scores"].get(str(self.severity))
        return None if found is None else 100 * float(found["histogram"][self.bin])


@dataclass(frozen=True)
class MeanScore:
    """The mean weight of the images of a severity."""

    node: str
    severity: int
    unit: ClassVar[Unit] = SCORE

    def value(self, results: Mapping[str, Any]) -> float | None:
        """Return the mean; None where no image has the severity."""
        found = results["scores"].get(str(self.severity))
        return None if found is None else float(found["mean"])


@dataclass(frozen=True)
class CoverageOf:
    """How near the views of a recipe come to corruptions.

    Attributes
    ----------
    views : name of the recipe
    what : "mean" or "median" over images and corruptions
    """

    node: str
    views: str
    what: str
    unit: ClassVar[Unit] = DISTANCE

    def value(self, results: Mapping[str, Any]) -> float:
        """Return the cosine distance, times 1000."""
        return 1000 * float({row["views"]: row[self.what] for row in results["table"]}[self.views])


@dataclass(frozen=True)
class Measure:
    """What is told of one method with one seed.

    Attributes
    ----------
    fields : where the numbers stand: ``method``, and what else tells rows apart, such as ``dataset``
    conditions : condition -> what it is the mean of
    """

    fields: Mapping[str, str]
    seed: int
    conditions: Mapping[str, Sequence[Reading]]


@dataclass(frozen=True)
class MapGrid:
    """Sensitivity maps side by side.

    Attributes
    ----------
    map : its name in the maps' files
    nodes : label -> name of the node that made it
    """

    title: str
    map: str
    nodes: Mapping[str, str]


@dataclass(frozen=True)
class SurfacePicture:
    """Losses and accuracy over a plane, with paths.

    Attributes
    ----------
    node : name of the node that made it
    accuracy : what stands above the picture of the accuracy
    """

    title: str
    node: str
    accuracy: str


@dataclass(frozen=True)
class Recipe:
    """A reproduction.

    Attributes
    ----------
    settings : what was chosen and how, as it goes into ``results.json``
    findings : what the paper found, a paragraph each; what a run finds is for `observe`
    observe : says what the figures of a run come to, a paragraph each
    maps : pictures of sensitivity maps
    surfaces : pictures of losses over planes
    published : rows of the paper's own numbers, which stand below those of this run
    """

    name: str
    title: str
    source: str
    quick: bool
    seeds: int
    graph: Graph
    measures: tuple[Measure, ...]
    tables: tuple[Table, ...]
    settings: Mapping[str, Any]
    findings: tuple[str, ...]
    observe: Callable[[Sequence[Block]], list[str]] = lambda blocks: []
    maps: tuple[MapGrid, ...] = ()
    surfaces: tuple[SurfacePicture, ...] = ()
    published: tuple[Row, ...] = ()
