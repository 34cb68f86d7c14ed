"""What the recipes are put together from: images, datasets, trainings, and how long they take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.reproduce.attacking import AttackTask
from passband.jobs.reproduce.coverage import CoverageTask
from passband.jobs.reproduce.diagonal import DiagonalTask
from passband.jobs.reproduce.energy import EnergyTask
from passband.jobs.reproduce.flatness import FlatnessTask
from passband.jobs.reproduce.generating import GenerationTask
from passband.jobs.reproduce.graph import DatasetTask, Node
from passband.jobs.reproduce.logged import LoggedTask
from passband.jobs.reproduce.mapping import SensitivityTask
from passband.jobs.reproduce.references import referenced
from passband.jobs.reproduce.scores import ScoreTask
from passband.jobs.reproduce.spectrum import SpectrumTask
from passband.jobs.reproduce.step_time import StepTimeTask
from passband.jobs.reproduce.surface import SurfaceTask
from passband.jobs.reproduce.synthetic.task import MarginTask
from passband.jobs.reproduce.tasks import EvaluationTask, TrainingTask
from passband.jobs.reproduce.watched import WatchedTask

SEVERITIES = range(1, 6)
CLEAN = "clean"


@dataclass(frozen=True)
class Images:
    """A source of images as a recipe uses it.

    Attributes
    ----------
    base : stages that every image goes through first
    train_samples, test_samples : number of images of each split
    sample_s : seconds of one core for a forward and a backward pass of an image through LeNet, data included
    """

    name: str
    source: Mapping[str, Any] = field(hash=False)
    size: int
    train_samples: int
    test_samples: int
    sample_s: float
    base: Sequence[Mapping[str, Any]] = field(hash=False, default=())

    def job(
        self, split: str, views: Sequence[Any], base: Sequence[Any] = (), seed: int = 0, copies: int = 1
    ) -> dict[str, Any]:
        """Return the job, of kind generate, of a dataset of a split: clean and `views`.

        With more than one of `copies` each image is that many samples, whose base stages draw for themselves.
        """
        source = {**self.source, "split": split}
        return {
            "kind": "generate",
            "seed": seed,
            "source": source if copies == 1 else [source | {"domain": f"copy{copy + 1}"} for copy in range(copies)],
            "image": {"size": self.size},
            "base": [*self.base, *base],
            "views": [CLEAN, *views],
            "output": {"encoding": "npy", "samples_per_shard": 1000},
        }

    def training_seconds(self, epochs: int, passes: float = 1) -> float:
        """Estimate how long a training takes on one core; `passes`: over every sample in an epoch."""
        return 1.0 + self.train_samples * epochs * passes * self.sample_s

    def evaluation_seconds(self, datasets: int, views: int) -> float:
        """Estimate how long an evaluation takes on one core."""
        return 0.1 * datasets + self.test_samples * views * self.sample_s / 3


def corrupted(corruption: str, severity: Any, table: str) -> dict[str, Any]:
    """Return the stage that corrupts."""
    return {"corrupt": {"types": [corruption], "severity": severity, "table": table}}


def grid(corruption: str, table: str, severities: Sequence[int] = SEVERITIES) -> list[dict[str, Any]]:
    """Return a view for each severity of a corruption, called TYPE-SEVERITY."""
    return [corrupted(corruption, level, table) | {"name": grid_view(corruption, level)} for level in severities]


def grid_view(corruption: str, severity: int) -> str:
    """Return the name of a view of a grid; severity 0 is the clean view."""
    return f"{corruption}-{severity}" if severity else CLEAN


class Nodes:
    """Collects the nodes of a graph; a dataset that is asked for twice is one node."""

    def __init__(self) -> None:
        self._datasets: dict[str, Node] = {}
        self._others: list[Node] = []

    def __contains__(self, name: str) -> bool:
        return name in self._datasets or any(node.name == name for node in self._others)

    def dataset(self, name: str, job: Mapping[str, Any], seconds: float) -> str:
        """Enter a dataset, and return its name."""
        self._datasets.setdefault(name, Node(name, DatasetTask(job), (), seconds))
        assert self._datasets[name].task == DatasetTask(job)
        return name

    def training(self, name: str, job: Mapping[str, Any], data: str, seconds: float) -> str:
        """Enter a training on a dataset, and return its name."""
        self._others.append(Node(name, TrainingTask({"name": name, **job}, data), (data, *referenced(job)), seconds))
        return name

    def generation(self, name: str, job: Mapping[str, Any], seconds: float) -> str:
        """Enter a dataset that needs other nodes, named in the job, and return its name."""
        self._others.append(Node(name, GenerationTask({"name": name, **job}), referenced(job), seconds))
        return name

    def sensitivity(self, training: str, job: Mapping[str, Any], seconds: float) -> str:
        """Enter the sensitivity maps of a training's network, and return their name."""
        name = f"{training}-map"
        self._others.append(Node(name, SensitivityTask({"name": name, **job}), (training,), seconds))
        return name

    def evaluation(
        self,
        training: str,
        views: Mapping[str, tuple[str, ...]],
        seconds: float,
        adapt: Mapping[str, int] | None = None,
        step: int | None = None,
    ) -> str:
        """Enter the evaluation of a training on views of datasets, once, and return its name; see `EvaluationTask`."""
        name = f"{training}-test" + ("" if adapt is None else f"-{adapt['prior']}-{adapt['batch']}")
        name += "" if step is None else f"-step-{step}"
        if name in self:
            return name
        self._others.append(Node(name, EvaluationTask(training, views, adapt, step), (training, *views), seconds))
        return name

    def flatness(self, training: str, dataset: str, size: Mapping[str, Any], seconds: float) -> str:
        """Enter how flat the loss is around a training's network, and return its name.

        `size` has the other attributes of `FlatnessTask`.
        """
        name = f"{training}-flatness"
        self._others.append(Node(name, FlatnessTask(training, dataset, **size), (training, dataset), seconds))
        return name

    def surface(
        self,
        name: str,
        trainings: tuple[tuple[str, str], tuple[str, str]],
        dataset: str,
        test: str,
        size: Mapping[str, Any],
        seconds: float,
    ) -> str:
        """Enter losses and accuracy over the plane of two trainings, and return their name.

        `size` has the other attributes of `SurfaceTask`.
        """
        needs = (*(training for _, training in trainings), dataset, test)
        self._others.append(Node(name, SurfaceTask(trainings, dataset, test, **size), needs, seconds))
        return name

    def logged(self, training: str, quantity: str, lines: int) -> str:
        """Enter the end of what a training logged, and return its name."""
        name = f"{training}-{quantity}"
        self._others.append(Node(name, LoggedTask(training, quantity, lines), (training,), 0.1))
        return name

    def step_time(self, network: str, size: Mapping[str, Any], seconds: float) -> str:
        """Enter the time of a step on a network, and return its name; `size` is the rest of `StepTimeTask`."""
        name = f"{network}-time"
        self._others.append(Node(name, StepTimeTask(network, **size), (), seconds))
        return name

    def watched(
        self, training: str, views: Sequence[str], epochs: Sequence[int], quantities: Mapping[str, str] | None = None
    ) -> str:
        """Enter what a training watched after some epochs, by default accuracies, and return its name."""
        name = f"{training}-watched"
        given = {} if quantities is None else {"quantities": quantities}
        task = WatchedTask(training, tuple(views), tuple(epochs), **given)
        self._others.append(Node(name, task, (training,), 0.1))
        return name

    def scores(
        self, training: str, dataset: str, rho: float, batch_size: int, edges: tuple[float, ...], seconds: float
    ) -> str:
        """Enter how images weigh under a training's network, and return its name."""
        name = f"{training}-scores"
        task = ScoreTask(training, dataset, rho, batch_size, edges)
        self._others.append(Node(name, task, (training, dataset), seconds))
        return name

    def attack(
        self,
        training: str,
        dataset: str,
        attacks: Mapping[str, Mapping[str, Any]],
        rho: Sequence[float],
        seconds: float,
    ) -> str:
        """Enter the accuracy of a training's network under attack, with smoothed kernels, and return its name."""
        name = f"{training}-attack"
        task = AttackTask(training, dataset, attacks, tuple(rho))
        self._others.append(Node(name, task, (training, dataset), seconds))
        return name

    def margins(self, name: str, setting: Mapping[str, Any], seconds: float) -> str:
        """Enter a network on synthetic points with its margins, and return its name."""
        self._others.append(Node(name, MarginTask(setting), (), seconds))
        return name

    def diagonal(self, training: str, view: str, job: Mapping[str, Any], seconds: float) -> str:
        """Enter the margins of a training's network at images of a representation, and return their name."""
        name = f"{training}-at-{view}"
        self._others.append(Node(name, DiagonalTask({"name": name, **job}), (training,), seconds))
        return name

    def coverage(self, training: str, job: Mapping[str, Any], seconds: float) -> str:
        """Enter how near views come to corruptions in the embedding of a training's network, and return its name."""
        name = f"{training}-coverage"
        self._others.append(Node(name, CoverageTask({"name": name, **job}), (training,), seconds))
        return name

    def energy(self, name: str, job: Mapping[str, Any], seconds: float) -> str:
        """Enter how the energy of views is spread over frequencies, and return its name."""
        self._others.append(Node(name, EnergyTask({"name": name, **job}), (), seconds))
        return name

    def spectrum(
        self, training: str, dataset: str, view: str, images: int, attack: Mapping[str, Any], seconds: float
    ) -> str:
        """Enter the spectrum of what PGD adds to images against a training's network, and return its name.

        `attack` has the other attributes of `SpectrumTask`.
        """
        name = f"{training}-spectrum"
        task = SpectrumTask(training, dataset, view, images, **attack)
        self._others.append(Node(name, task, (training, dataset), seconds))
        return name

    def all(self) -> tuple[Node, ...]:
        """Return the nodes: the datasets first, since one child process makes them all."""
        return (*self._datasets.values(), *self._others)
