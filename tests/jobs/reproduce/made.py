"""Datasets, trainings and a whole recipe so small that they take a moment."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import DatasetTask, Graph, Made, Node, Stopped
from passband.jobs.reproduce.recipe import Measure, Recipe, Seen
from passband.jobs.reproduce.rows import Table
from passband.jobs.reproduce.tasks import EvaluationTask, TrainingTask

CROPS = {"kind": "photos", "crop": 128}  # 224 crops to train on, 48 to test


@dataclass(frozen=True)
class Modules:
    """Trains and evaluates, then says what the process has imported."""

    training: TrainingTask
    evaluation: EvaluationTask
    kind: ClassVar[str] = "modules"

    def identity(self, needs: Mapping[str, Made]) -> str:
        return self.training.identity(needs)

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        self.training.run(f"{folder}/training", needs, stopped)
        self.evaluation.run(f"{folder}/evaluation", {**needs, "t": Made("t", f"{folder}/training")}, stopped)
        return {"modules": sorted(sys.modules)}


def dataset(name: str, split: str, views: list[Any], base: list[Any] | None = None, **changes: Any) -> Node:
    job = {
        "source": {**CROPS, "split": split},
        "image": {"size": 16},
        "base": base or [],
        "views": ["clean", *views],
        "output": {"encoding": "npy"},
        **changes,
    }
    return Node(name, DatasetTask(job), (), 1.0)


def noise(severity: Any) -> dict[str, Any]:
    return {"corrupt": {"types": ["gaussian_noise"], "severity": severity}}


def tiny_recipe(epochs: int = 1, seeds: int = 1, **training: Any) -> Recipe:
    """Return ERM against SharpDRO on crops of 16 pixels."""
    views = {"test": ("clean", "noise-5")}
    nodes = [dataset("train", "train", [], [noise({"poisson": 1.0})])]
    nodes += [dataset("test", "test", [noise(5) | {"name": "noise-5"}])]
    measures = []
    for seed in range(seeds):
        for method, objective in (("ERM", {"kind": "erm"}), ("SharpDRO", {"kind": "sharpdro"})):
            trained, measured = f"{method}-{seed}", f"{method}-{seed}-test"
            task = TrainingTask(train_job(objective, epochs, seed) | training, "train")
            nodes.append(Node(trained, task, ("train",)))
            nodes.append(Node(measured, EvaluationTask(trained, views), (trained, "test"), 0.3))
            seen = [Seen(measured, "test", view) for view in views["test"]]
            conditions = {"0": seen[:1], "5": seen[1:], "mean": seen}
            measures.append(Measure({"dataset": "photos", "method": method}, seed, conditions))
    columns = (("0", "0"), ("5", "5"), ("mean", "mean"))
    return Recipe(
        name="tiny",
        title="Tiny",
        source="Nobody 2000",
        quick=True,
        seeds=seeds,
        graph=Graph(tuple(nodes)),
        measures=tuple(measures),
        tables=(Table("photos", {"dataset": "photos"}, columns, "severity"),),
        settings={"why": "it is small"},
        findings=("Little & less.",),
    )


def train_job(objective: Mapping[str, Any], epochs: int = 1, seed: int = 0) -> dict[str, Any]:
    return {
        "name": "tiny",
        "seed": seed,
        "network": {"kind": "lenet"},
        "objective": dict(objective),
        "epochs": epochs,
        "batch_size": 32,
        "optimizer": {"kind": "adam", "lr": 0.001, "weight_decay": 0.0},
    }
