"""PRIME against AugMix, and how many stored copies come near fresh ones (Modas 2022, sections 5.3 and 5.4.4)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe, Seen
from passband.jobs.reproduce.recipes.parts import CLEAN, SEVERITIES, Images, Nodes, grid, grid_view
from passband.jobs.reproduce.rows import Block, Table

CORRUPTIONS: Mapping[str, str] = {
    "gaussian_noise": "gauss",
    "shot_noise": "shot",
    "impulse_noise": "impul",
    "defocus_blur": "defoc",
    "glass_blur": "glass",
    "motion_blur": "motio",
    "zoom_blur": "zoom",
    "snow": "snow",
    "frost": "frost",
    "fog": "fog",
    "brightness": "brigh",
    "contrast": "contr",
    "elastic_transform": "elast",
    "pixelate": "pixel",
    "jpeg_compression": "jpeg",
}
"""Corruption -> heading, in the order of the paper."""
TABLE = "cifar"
CORRUPTED = "corrupted"
JSD = {"kind": "jsd", "weight": 12.0}
COPIES = (1, 2, 4, 8)
FRESH = "fresh"
FIRST, STUDY = "methods", "copies"


@dataclass(frozen=True)
class Setting:
    """How an image source is trained on; the epochs, passes over the clean images, set the steps of every training."""

    images: Images
    epochs: int
    quick_epochs: int


SETTINGS = (
    Setting(
        Images("photos", {"kind": "photos", "crop": 32}, 32, train_samples=3172, test_samples=786, sample_s=200e-6),
        epochs=36,
        quick_epochs=3,
    ),
    Setting(
        Images("mnist5k", {"kind": "mnist5k"}, 28, train_samples=4000, test_samples=1000, sample_s=150e-6),
        epochs=18,
        quick_epochs=2,
    ),
)
BATCH, RATE = 64, 2e-3
QUICK_SEEDS, SEEDS = 1, 3
QUICK_SEVERITIES = (1, 3, 5)


def prime(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of PRIME's comparison and of its study of stored copies."""
    number = seeds or (QUICK_SEEDS if quick else SEEDS)
    nodes = Nodes()
    measures = [
        measure for seed in range(number) for setting in SETTINGS for measure in _one_seed(nodes, setting, seed, quick)
    ]
    return Recipe(
        name="prime",
        title="PRIME: clean and corrupted accuracy",
        source="After Modas 2022, chapter 5 (arXiv 2112.13547), on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(_tables()),
        settings=_settings(quick),
        findings=FINDINGS,
        observe=observe,
    )


class _Bench:
    """Trains and measures networks on one image source with one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, seed: int, quick: bool) -> None:
        self._nodes, self._images, self._seed = nodes, setting.images, seed
        self.epochs = setting.quick_epochs if quick else setting.epochs
        self.steps = self.epochs * (setting.images.train_samples // BATCH)
        severities = QUICK_SEVERITIES if quick else SEVERITIES
        self._views = {
            self._dataset(f"test-{name}", "test", grid(name, TABLE)): tuple(grid_view(name, s) for s in severities)
            for name in CORRUPTIONS
        }

    def dataset(self, what: str, views: list[Any]) -> str:
        """Enter a training set, and return its name."""
        return self._dataset(what, "train", views)

    def _dataset(self, what: str, split: str, views: list[Any]) -> str:
        samples = self._images.train_samples if split == "train" else self._images.test_samples
        name = f"{self._images.name}-{what}"
        return self._nodes.dataset(name, self._images.job(split, views), 1.0 + samples * len(views) * 2e-4)

    def measure(self, study: str, method: str, dataset: str, passes: int = 1, **changes: Any) -> Measure:
        """Enter a training with its evaluation, and return what is told of it.

        Parameters
        ----------
        passes : views of a sample that a step works on
        """
        name = f"{self._images.name}-{re.sub('[^A-Za-z0-9]+', '-', method)}-{self._seed}"
        job = {"steps": self.steps, **_training_job(self._seed), **changes}
        seconds = self._images.training_seconds(self.epochs, passes)
        training = self._nodes.training(name, job, dataset, seconds)
        first, *others = self._views
        looked_at = {first: (CLEAN, *self._views[first]), **{name: self._views[name] for name in others}}
        measured = self._nodes.evaluation(
            training, looked_at, self._images.evaluation_seconds(len(looked_at), sum(map(len, looked_at.values())))
        )
        by_type = {
            corruption: [Seen(measured, test, view) for view in views]
            for corruption, (test, views) in zip(CORRUPTIONS, self._views.items(), strict=True)
        }
        every = [one for seen in by_type.values() for one in seen]
        conditions = {CLEAN: [Seen(measured, first, CLEAN)], CORRUPTED: every, **by_type}
        return Measure({"study": study, "dataset": self._images.name, "method": method}, self._seed, conditions)


def _one_seed(nodes: Nodes, setting: Setting, seed: int, quick: bool) -> Iterator[Measure]:
    bench = _Bench(nodes, setting, seed, quick)
    primed = bench.dataset("prime", [{"prime": {"preset": "cifar"}, "copies": max(COPIES), "name": "prime"}])
    copies = [f"prime-{copy + 1}" for copy in range(max(COPIES))]
    mixed = bench.dataset("augmix", [{"augmix": {}, "copies": 2, "name": "augmix"}])
    fresh = bench.dataset("prime-fresh", [{"prime": {"preset": "cifar"}, "copies": bench.epochs, "name": "prime"}])
    both = {"views": [CLEAN, *copies[:2]]}
    yield bench.measure(FIRST, "ERM", primed, objective={"kind": "erm"}, data={"views": [CLEAN]})
    mixture = {"views": [CLEAN, "augmix-1", "augmix-2"]}
    yield bench.measure(FIRST, "AugMix + JSD", mixed, passes=3, objective=JSD, data=mixture)
    yield bench.measure(FIRST, "PRIME + JSD", primed, passes=3, objective=JSD, data=both)
    for number in COPIES:
        yield bench.measure(
            STUDY,
            f"k = {number}",
            primed,
            objective={"kind": "erm"},
            data={"views": [CLEAN, *copies[:number]], "views_as_samples": True},
        )
    each = {"views": [f"prime-{epoch + 1}" for epoch in range(bench.epochs)], "views_by_epoch": True}
    yield bench.measure(STUDY, FRESH, fresh, objective={"kind": "erm"}, data=each)


def _training_job(seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "network": {"kind": "lenet"},
        "batch_size": BATCH,
        "optimizer": {"kind": "adam", "lr": RATE, "weight_decay": 0.0},
        "schedule": {"kind": "cosine"},
    }


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say: what AugMix and PRIME add to ERM, and what k copies reach of fresh ones."""
    found = []
    for block in blocks:
        means = {method: rows[1].mean for method, rows in block.methods.items() if len(rows) == 2 and rows[1]}
        name = block.table.where["dataset"]
        if {"ERM", *_AGAINST_ERM} <= set(means):
            gains = (f"{method} {means[method] - means['ERM']:+.1f}" for method in _AGAINST_ERM)
            found.append(f"{name}: against ERM's {means['ERM']:.1f} under corruption, {' and '.join(gains)} points.")
        elif FRESH in means and len(means) > 1:
            gaps = (f"{m} {mean - means[FRESH]:+.1f}" for m, mean in means.items() if m != FRESH)
            found.append(f"{name}: against {means[FRESH]:.1f} under corruption with fresh views, {', '.join(gaps)}.")
    return found


_AGAINST_ERM = ("AugMix + JSD", "PRIME + JSD")


def _settings(quick: bool) -> dict[str, Any]:
    severities = QUICK_SEVERITIES if quick else SEVERITIES
    return {
        "corrupted": f"mean over 15 corruptions x severities {', '.join(map(str, severities))}",
        "table of constants": TABLE,
        "network": "lenet",
        "optimizer": f"Adam, rate {RATE}, cosine schedule, no weight decay, batches of {BATCH} samples",
        "jsd": "clean + 2 stored views, weight 12",
        "steps": "the same for every training of an image source: so many passes over the clean images",
        "k copies": "ERM on the set of the clean images and k stored views of each, all shuffled together",
        "fresh": "ERM on another PRIME view each epoch",
        "seeds": "of the weights and the order; the stored views are the same for all",
        "images": {
            setting.images.name: {
                "size": setting.images.size,
                "epochs": setting.quick_epochs if quick else setting.epochs,
            }
            for setting in SETTINGS
        },
        "how chosen": list(CHOICE),
    }


def _tables() -> Iterator[Table]:
    summary = ((CLEAN, "clean"), (CORRUPTED, "corr"))
    by_type = (*CORRUPTIONS.items(), (CORRUPTED, "corr"))
    for setting in SETTINGS:
        name = setting.images.name
        methods = {"study": FIRST, "dataset": name}
        yield Table(f"{name}: clean and corrupted", methods, summary)
        yield Table(f"{name}: by corruption", methods, by_type, "corruption")
        yield Table(f"{name}: k stored copies, or fresh ones", {"study": STUDY, "dataset": name}, summary)


CHOICE: tuple[str, ...] = (
    "Network, sizes and epochs were chosen for the time that they take, before anything was measured; nothing was "
    "tuned for one of the methods.",
)
FINDINGS: tuple[str, ...] = (
    "The thesis has PRIME first on the mean of all corruptions.",
    "Stored copies are trained on as in the thesis, as a set of k + 1 times as many images, shuffled.",
)
