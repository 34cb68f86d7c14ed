"""Networks on one image source with one seed, and their accuracies under corruption, for every study of PRIME."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passband.jobs.reproduce.recipe import Measure, Reading, Seen
from passband.jobs.reproduce.recipes.parts import CLEAN, SEVERITIES, Images, Nodes, grid, grid_view

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
GROUPS: Mapping[str, Sequence[str]] = {
    "noise": list(CORRUPTIONS)[:3],
    "blur": list(CORRUPTIONS)[3:7],
    "weather": list(CORRUPTIONS)[7:11],
    "digital": list(CORRUPTIONS)[11:],
}
"""As Hendrycks & Dietterich 2019 group them."""
TABLE = "cifar"
CORRUPTED = "corrupted"
JSD = {"kind": "jsd", "weight": 12.0}
BATCH, RATE = 64, 2e-3
QUICK_SEVERITIES = (1, 3, 5)


@dataclass(frozen=True)
class Setting:
    """How an image source is trained on; the epochs, passes over the clean images, set the steps of every training.

    Attributes
    ----------
    long_epochs : where k stored copies are compared with fresh ones
    """

    images: Images
    epochs: int
    long_epochs: int
    quick_epochs: int


SETTINGS = (
    Setting(
        Images("photos", {"kind": "photos", "crop": 32}, 32, train_samples=3172, test_samples=786, sample_s=200e-6),
        epochs=36,
        long_epochs=72,
        quick_epochs=3,
    ),
    Setting(
        Images("mnist5k", {"kind": "mnist5k"}, 28, train_samples=4000, test_samples=1000, sample_s=150e-6),
        epochs=18,
        long_epochs=36,
        quick_epochs=2,
    ),
)


class Bench:
    """Trains and measures networks on one image source with one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, seed: int, quick: bool) -> None:
        self.nodes, self.images, self.seed, self.quick = nodes, setting.images, seed, quick
        self.epochs = setting.quick_epochs if quick else setting.epochs
        self.long_epochs = setting.quick_epochs if quick else setting.long_epochs
        severities = QUICK_SEVERITIES if quick else SEVERITIES
        self._views = {
            self._dataset(f"test-{name}", "test", grid(name, TABLE)): tuple(grid_view(name, s) for s in severities)
            for name in CORRUPTIONS
        }

    def dataset(self, what: str, views: list[Any]) -> str:
        """Enter a training set, and return its name."""
        return self._dataset(what, "train", views)

    def _dataset(self, what: str, split: str, views: list[Any]) -> str:
        samples = self.images.train_samples if split == "train" else self.images.test_samples
        name, count = self._name(what), sum(view.get("copies", 1) for view in views)
        return self.nodes.dataset(name, self.images.job(split, views), 1.0 + samples * count * 2e-4)

    def _name(self, what: str) -> str:
        return f"{self.images.name}-{re.sub('[^A-Za-z0-9_]+', '-', what)}"

    def network(self, method: str, dataset: str, *, long: bool = False, passes: int = 1, **changes: Any) -> str:
        """Enter a training, unless it is there already, and return its name.

        Parameters
        ----------
        passes : views of a sample that a step works on
        changes : to the job
        """
        name = f"{self._name(method)}-{self.seed}"
        if name in self.nodes:
            return name
        epochs = self.long_epochs if long else self.epochs
        steps = epochs * (self.images.train_samples // BATCH)
        job = {"steps": steps, **_training_job(self.seed), **changes}
        return self.nodes.training(name, job, dataset, self.images.training_seconds(epochs, passes))

    def seen(self, training: str, adapt: Mapping[str, int] | None = None) -> dict[str, list[Seen]]:
        """Enter the evaluation of a training, unless it is there already.

        Returns
        -------
        condition -> what it is the mean of: clean, corrupted, each corruption and each group of them
        """
        first, *others = self._views
        looked_at = {first: (CLEAN, *self._views[first]), **{name: self._views[name] for name in others}}
        seconds = self.images.evaluation_seconds(len(looked_at), sum(map(len, looked_at.values())))
        measured = self.nodes.evaluation(training, looked_at, seconds, adapt)
        by_type: dict[str, list[Seen]] = {
            corruption: [Seen(measured, test, view) for view in views]
            for corruption, (test, views) in zip(CORRUPTIONS, self._views.items(), strict=True)
        }
        by_group = {group: [one for name in names for one in by_type[name]] for group, names in GROUPS.items()}
        every = [one for seen in by_type.values() for one in seen]
        return {CLEAN: [Seen(measured, first, CLEAN)], CORRUPTED: every, **by_type, **by_group}

    def told(self, study: str, method: str, conditions: Mapping[str, Sequence[Reading]]) -> Measure:
        """Return what is told of a method."""
        return Measure({"study": study, "dataset": self.images.name, "method": method}, self.seed, conditions)

    def measure(self, study: str, method: str, dataset: str, **training: Any) -> Measure:
        """Enter a training with its evaluation, and return what is told of it; the options are those of `network`."""
        return self.told(study, method, self.seen(self.network(method, dataset, **training)))


def _training_job(seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "network": {"kind": "lenet"},
        "batch_size": BATCH,
        "optimizer": {"kind": "adam", "lr": RATE, "weight_decay": 0.0},
        "schedule": {"kind": "cosine"},
    }


def copies(number: int, view: str = "prime") -> list[str]:
    """Return the names of stored views."""
    return [f"{view}-{copy + 1}" for copy in range(number)]


def primed(number: int, **options: Any) -> list[dict[str, Any]]:
    """Return so many PRIME views, as a job names them."""
    return [{"prime": {"preset": "cifar", **options}, "copies": number, "name": "prime"}]


def enlarged(number: int, view: str = "prime") -> dict[str, Any]:
    """Return how a training takes the clean images and so many stored views of each as one set."""
    views = [CLEAN, *copies(number, view)]
    return {"objective": {"kind": "erm"}, "data": {"views": views, "views_as_samples": True}}
