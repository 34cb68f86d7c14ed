"""Trains the networks of one image source with one seed, and measures them along the diagonal of the DCT."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from passband.jobs.reproduce.recipe import EnergyAt, ImagesSeen, MarginAt, Measure, Unreached
from passband.jobs.reproduce.recipes.diagonal.setting import (
    ATTACK_STEPS,
    BLOCK,
    DCT,
    FLIPPED,
    HIGH,
    LOW,
    RANDOM,
    STEP,
    TUNING_RATE,
    Setting,
    Size,
    training_job,
)
from passband.jobs.reproduce.recipes.diagonal.words import (
    ACCURACIES,
    ADVERSARIAL,
    BOTH,
    ENERGY,
    FORGETTING,
    FORGOTTEN,
    ORIGINAL,
    QUANTILES,
    RECOVERED,
    REPRESENTATIONS,
    ROBUST,
    SMOOTHED,
    TUNED,
    UNREACHED,
    epoch_name,
)
from passband.jobs.reproduce.recipes.parts import CLEAN, Nodes

_BOTH = {"views": [LOW, HIGH], "views_as_samples": True}


class Bench:
    """The nodes of one image source and one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, size: Size, seed: int) -> None:
        self._nodes, self._setting, self._size, self._seed = nodes, setting, size, seed
        images, views = setting.images, [stage | {"name": name} for name, stage in setting.stages.items()]
        self._sets = {
            split: nodes.dataset(f"{images.name}-{split}", images.job(split, views), 2.0) for split in ("train", "test")
        }
        self._trainings: dict[str, str] = {}
        self._diagonals: dict[tuple[str, str], str] = {}

    def measures(self) -> Iterator[Measure]:
        """Yield what is told of every network; enter it on the way."""
        for method, changes in self._networks():
            self._train(method, changes)
        for study, shown in STUDIES.items():
            for method, (training, view) in shown.items():
                yield from self._margins(study, method, training, view, RANDOM if study == REPRESENTATIONS[1] else DCT)
        for (training, view), node in self._diagonals.items():
            told = {place: [Unreached(node, DCT, int(place))] for place in self._places}
            yield self._measure(UNREACHED, _looked_at(training, view), told)
        yield from self._energies()
        for method in self._trainings:
            yield self._measure(ACCURACIES, method, self._accuracies(method))

    def _networks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what each training changes; one that goes on from another stands after it."""
        yield ORIGINAL, {"data": {"views": [CLEAN]}}
        yield FLIPPED, {"data": {"views": [FLIPPED]}}
        yield LOW, {"data": {"views": [LOW]}}
        yield TUNED, self._going_on(ORIGINAL, {"views": [LOW]})
        yield BOTH, {"data": _BOTH}
        yield FORGOTTEN, self._going_on(BOTH, {"views": [LOW]})
        yield RECOVERED, self._going_on(FORGOTTEN, _BOTH)
        yield ADVERSARIAL, {"data": {"views": [CLEAN]}, "objective": self._objective}

    def _going_on(self, before: str, data: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "network": {"kind": self._setting.network["kind"], "checkpoint": f"@{self._name(before)}"},
            "data": dict(data),
            "epochs": self._size.tuning_epochs,
            "optimizer": {"kind": "sgd", "lr": TUNING_RATE, "momentum": 0.9, "weight_decay": 5e-4},
            "schedule": {"kind": "cosine"},
        }

    @property
    def _objective(self) -> dict[str, Any]:
        attack = {"norm": "l2", "radius": self._setting.radius, "steps": ATTACK_STEPS, "random_start": False}
        return {"kind": "adversarial", **attack}

    @property
    def _places(self) -> list[str]:
        return [str(number) for number in range(len(self._setting.frequencies))]

    def _name(self, method: str) -> str:
        return f"{self._setting.name}-{re.sub('[^a-z0-9]+', '-', method)}-{self._seed}"

    def _train(self, method: str, changes: Mapping[str, Any]) -> str:
        job = {**training_job(self._seed, self._size.epochs), "network": dict(self._setting.network), **changes}
        passes = len(job["data"]["views"]) * (ATTACK_STEPS + 2 if job["objective"]["kind"] == "adversarial" else 1)
        seconds = self._setting.images.training_seconds(job["epochs"], passes)
        self._trainings[method] = self._nodes.training(self._name(method), job, self._sets["train"], seconds)
        return self._trainings[method]

    def _margins(self, study: str, method: str, training: str, view: str, family: str) -> Iterator[Measure]:
        node = self._diagonal(training, view)
        for place, ending in QUANTILES.items():
            told = {number: [MarginAt(node, family, int(number), place)] for number in self._places}
            yield self._measure(study, method + ending, told)

    def _diagonal(self, training: str, view: str) -> str:
        """Enter the margins of a training's network at test images of a representation, once."""
        if (training, view) not in self._diagonals:
            images, families = self._setting.images, FAMILIES if (training, view) in RANDOMLY else FAMILIES[:1]
            job = {
                "seed": 0,  # the same images for every network
                "source": {**images.source, "split": "test"},
                "image": {"size": images.size},
                "base": [*images.base, *([self._setting.stages[view]] if view != CLEAN else [])],
                "surrogate": {
                    "network": self._setting.network["kind"],
                    "checkpoint": f"@{self._trainings[training]}",
                    "batch": 128,
                },
                "subset": self._size.subset,
                "margins": {"subspaces": families},
            }
            pairs = self._size.subset * len(self._places) * len(families)
            node = self._nodes.diagonal(self._trainings[training], view, job, 3.0 + pairs * self._setting.margin_s)
            self._diagonals[training, view] = node
        return self._diagonals[training, view]

    def _energies(self) -> Iterator[Measure]:
        """Yield the spectra of the perturbations along an adversarial training: one rate, so that they are one's."""
        size, setting = self._size, self._setting
        for epochs in size.adversarial_epochs:
            name = f"{setting.name}-adversarial-{epochs}-{self._seed}"
            job = {
                **training_job(self._seed, epochs),
                "network": dict(setting.network),
                "data": {"views": [CLEAN]},
                "objective": self._objective,
                "optimizer": {"kind": "sgd", "lr": TUNING_RATE, "momentum": 0.9, "weight_decay": 5e-4},
                "schedule": {"kind": "constant"},
            }
            seconds = setting.images.training_seconds(epochs, ATTACK_STEPS + 2)
            training = self._nodes.training(name, job, self._sets["train"], seconds)
            attack = {"radius": setting.radius, "steps": ATTACK_STEPS, "block": BLOCK, "step": STEP}
            seconds = 1.0 + size.attacked * ATTACK_STEPS * setting.images.sample_s
            node = self._nodes.spectrum(training, self._sets["train"], CLEAN, size.attacked, attack, seconds)
            told = {number: [EnergyAt(node, int(number))] for number in self._places}
            yield self._measure(ENERGY, epoch_name(epochs), told)

    def _accuracies(self, method: str) -> dict[str, list[ImagesSeen]]:
        views, test = self._setting.views, self._sets["test"]
        seconds = self._setting.images.evaluation_seconds(1, len(views))
        node = self._nodes.evaluation(self._trainings[method], {test: views}, seconds)
        return {view: [ImagesSeen(node, test, view)] for view in views}

    def _measure(self, study: str, method: str, conditions: Mapping[str, Sequence[Any]]) -> Measure:
        return Measure({"study": study, "dataset": self._setting.name, "method": method}, self._seed, conditions)


STUDIES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    REPRESENTATIONS[0]: {ORIGINAL: (ORIGINAL, CLEAN), FLIPPED: (FLIPPED, FLIPPED)},
    REPRESENTATIONS[1]: {ORIGINAL: (ORIGINAL, CLEAN), FLIPPED: (FLIPPED, FLIPPED)},
    SMOOTHED: {ORIGINAL: (ORIGINAL, CLEAN), TUNED: (TUNED, CLEAN), LOW: (LOW, CLEAN)},
    FORGETTING: {BOTH: (BOTH, LOW), FORGOTTEN: (FORGOTTEN, LOW), RECOVERED: (RECOVERED, LOW)},
    ROBUST: {ORIGINAL: (ORIGINAL, CLEAN), ADVERSARIAL: (ADVERSARIAL, CLEAN)},
}
"""Study -> method -> (training, at what test images its margins are measured)."""
RANDOMLY = STUDIES[REPRESENTATIONS[1]].values()
FAMILIES = [{"kind": kind, "block": BLOCK, "step": STEP} for kind in (DCT, RANDOM)]


def _looked_at(training: str, view: str) -> str:
    return training if view == CLEAN else f"{training}, at {view}"
