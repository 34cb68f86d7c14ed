"""Trains, measures and maps networks with one seed, and makes what they are trained on."""

import re
from collections.abc import Mapping
from typing import Any

from passband.jobs.reproduce.recipe import MapNorm, Seen
from passband.jobs.reproduce.recipes.digits.methods import ATTACK, ERM, FLAVOURS, METHODS, MIXED, RANDOM, Method
from passband.jobs.reproduce.recipes.digits.setting import (
    MAP_S,
    MIX_S,
    ONLINE_S,
    PRIME_S,
    SADA_S,
    SURROGATE_BATCH,
    Setting,
    training_job,
)
from passband.jobs.reproduce.recipes.digits.variations import Variation
from passband.jobs.reproduce.recipes.digits.words import ENHANCED_NORM, NORM_ERROR, ORIGINAL_NORM
from passband.jobs.reproduce.recipes.parts import CLEAN, Nodes
from passband.pipeline.layout import MAPS

_SHARD = 500  # samples; a generation that is stopped loses one shard


class Bench:
    """The nodes of one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, seed: int) -> None:
        self._nodes, self._setting, self._seed = nodes, setting, seed
        self._tests = {name: self._test(name) for name in (setting.images.name, *setting.unseen)}
        self._plain = self._make_plain()
        self._shared: dict[str, str] = {}
        self.erm = self._train(METHODS[ERM], self._plain)
        self.map(self.erm)  # begun soon, since most of the others wait for it

    def train(self, method: Method, *, tuned: bool = False) -> str:
        """Enter the training of a method, once, and return its name.

        Parameters
        ----------
        tuned : whether it begins with the ERM network, and is shorter, or from scratch
        """
        if method.name == ERM:
            return self.erm
        changes = self._tuning(self.erm) if tuned else {}
        return self._train(method, self._data(method), **changes)

    def vary(self, variation: Variation, *, tuned: bool = False) -> str:
        """Enter the training of a variation, once, and return its name; `tuned` as in `train`."""
        method, name = variation.method, self._name(variation.method)
        if name in self._nodes:
            return name
        data = self._data(method)
        if variation.attack:
            views = self._attack_views(
                method.data, self.erm, method.count("sada"), method.count("mix"), variation.attack
            )
            data = self._generate(f"{name}-views", views)
        changes = self._tuning(self.erm) if tuned else {}
        return self._train(method, data, share=variation.share, **changes)

    def tune(self, method: Method, before: str, number: int) -> str:
        """Enter round `number` of a method: views against the newest network, which is trained on with them."""
        name = f"{before.removesuffix(f'-round{number - 1}')}-round{number}"
        views = self._attack_views(method.data, before, method.count("sada"), method.count("mix"))
        data = self._generate(f"{name}-views", views)
        return self._train(method, data, name, **self._tuning(before))

    def _tuning(self, before: str) -> dict[str, Any]:
        return {"network": {"kind": "lenet", "checkpoint": f"@{before}"}, "epochs": self._setting.tuning_epochs}

    def accuracies(self, training: str) -> dict[str, list[Seen]]:
        """Enter the evaluation of a training; return what it sees of every domain."""
        views = {test: (CLEAN,) for test in self._tests.values()}
        samples = sum(images.test_samples for images, _ in self._setting.unseen.values())
        seconds = 0.1 * len(views) + (samples + self._setting.images.test_samples) * self._setting.images.sample_s / 3
        measured = self._nodes.evaluation(training, views, seconds)
        return {domain: [Seen(measured, test, CLEAN)] for domain, test in self._tests.items()}

    def norms(self, training: str) -> dict[str, list[MapNorm]]:
        """Return what the maps of a training's network come to."""
        node = self.map(training)
        return {
            ORIGINAL_NORM: [MapNorm(node, "original")],
            ENHANCED_NORM: [MapNorm(node, "enhanced")],
            NORM_ERROR: [MapNorm(node, "enhanced", "standard_error")],
        }

    def map(self, training: str) -> str:
        """Enter the maps of a training's network once, and return their name."""
        if f"{training}-map" in self._nodes:
            return f"{training}-map"
        images, setting = self._setting.images, self._setting
        job = {
            "seed": 0,  # the same images and signs for every network
            "source": {**images.source, "split": "train"},
            "image": {"size": images.size},
            "surrogate": self._surrogate(training),
            "maps": ["original", "enhanced"],
            "subset": setting.subset,
        }
        return self._nodes.sensitivity(training, job, 3.0 + 2 * setting.frequencies * setting.subset * MAP_S)

    def _name(self, method: Method) -> str:
        return re.sub("[^a-z0-9]+", "-", method.name.lower()) + f"-{self._seed}"

    def _train(
        self, method: Method, data: str, name: str | None = None, share: float | None = None, **changes: Any
    ) -> str:
        name = name or self._name(method)
        read = {"views": list(method.views)}
        job = {
            **training_job(self._setting, self._seed),
            "objective": dict(method.objective),
            "data": read if share is None else {**read, "augmented_share": share},
            **changes,
        }
        return self._nodes.training(name, job, data, self._training_seconds(method, job["epochs"]))

    def _training_seconds(self, method: Method, epochs: int) -> float:
        images = self._setting.images
        if method.attacks_online:
            return 1.0 + images.train_samples * epochs * ONLINE_S
        return images.training_seconds(epochs, len(method.views))

    def _test(self, domain: str) -> str:
        images, split = self._setting.unseen.get(domain, (self._setting.images, "test"))
        return self._nodes.dataset(f"test-{domain}", images.job(split, []), 1.0)

    def _data(self, method: Method) -> str:
        if method.attacks:
            return self._flavour(method.data)
        return self._mixed() if method.data == MIXED else self._plain

    def _mixed(self) -> str:
        """Enter the training set of AugMix's views alone, once; its first two are those of the plain one."""
        images, views = self._setting.images, _copies("augmix", {}, "mix", 3)
        seconds = 1.0 + images.train_samples * 3 * MIX_S
        return self._nodes.dataset(f"mixed-{self._seed}", images.job("train", views, seed=self._seed), seconds)

    def _make_plain(self) -> str:
        images = self._setting.images
        views = [*_copies("augmix", {}, "mix", 2), *_copies("prime", {"preset": "cifar"}, "prime", 2)]
        seconds = 1.0 + images.train_samples * (2 * MIX_S + 2 * PRIME_S)
        return self._nodes.dataset(f"plain-{self._seed}", images.job("train", views, seed=self._seed), seconds)

    def _flavour(self, flavour: str) -> str:
        """Enter the views against the ERM network that all methods of a flavour share."""
        if flavour not in self._shared:
            users = [method for method in METHODS.values() if method.data == flavour]
            sada, mix = (max(method.count(view) for method in users) for view in ("sada", "mix"))
            views = self._attack_views(flavour, self.erm, sada, mix)
            self._shared[flavour] = self._generate(f"{flavour}-{self._seed}", views)
        return self._shared[flavour]

    def _attack_views(
        self, flavour: str, training: str, sada: int, mix: int, attack: Mapping[str, Any] = ATTACK
    ) -> list[dict[str, Any]]:
        options = {"surrogate": self._surrogate(training), **FLAVOURS[flavour], **ATTACK}
        if flavour != RANDOM:
            options["map"] = f"@{self.map(training)}/{MAPS}"
        options |= attack
        return [*_copies("sada", options, "sada", sada), *_copies("augmix", {}, "mix", mix)]

    def _generate(self, name: str, views: list[dict[str, Any]]) -> str:
        images = self._setting.images
        job = images.job("train", views, seed=self._seed)
        job["output"] |= {"samples_per_shard": _SHARD}
        costs = sum(SADA_S if "sada" in view else MIX_S for view in views)
        seconds = 2.0 + images.train_samples * costs
        return self._nodes.generation(name, job, seconds)

    def _surrogate(self, training: str) -> dict[str, Any]:
        return {"network": "lenet", "checkpoint": f"@{training}", "batch": SURROGATE_BATCH}


def _copies(stage: str, options: Mapping[str, Any], name: str, number: int) -> list[dict[str, Any]]:
    """Return views called NAME-1, NAME-2, ..., one alone too."""
    return [{stage: dict(options), "name": f"{name}-{copy + 1}"} for copy in range(number)]
