"""How large the digits reproduction is: images, epochs, and how closely maps are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.reproduce.recipes.digits.words import STUDIES
from passband.jobs.reproduce.recipes.parts import Images

SADA_S, MIX_S, PRIME_S, MAP_S = 1.5e-3, 1.5e-3, 0.5e-3, 60e-6
"""Seconds of one core for a view of an image, and for an image under one frequency."""
ONLINE_S = 0.85e-3
"""Seconds of one core for an image in a step of training that attacks it, its stored views included."""


_FEW = {
    STUDIES.weight: (0.25, 12.0),
    STUDIES.steps: (1, 5),
    STUDIES.step_size: (0.08, 0.15),
    STUDIES.init: (0.2, 0.5),
}
_MORE = {
    STUDIES.weight: (0.1, 0.25, 0.6, 2.0, 12.0),
    STUDIES.steps: (1, 3, 5, 8),
    STUDIES.step_size: (0.02, 0.05, 0.08, 0.15),
    STUDIES.init: (0.1, 0.2, 0.3, 0.5),
}


@dataclass(frozen=True)
class Setting:
    """What is trained on, and on what it is measured.

    Attributes
    ----------
    unseen : domain -> (its images, the split that is looked at)
    epochs : of a training from scratch
    tuning_epochs : of a training that begins with another's weights, from round 2 on
    subset : images of the training set, by class, that maps are made of
    shares : of the samples whose views are trained on, for figure 5
    sweeps : study -> values of figure 7
    """

    images: Images
    unseen: Mapping[str, tuple[Images, str]] = field(hash=False)
    epochs: int
    tuning_epochs: int
    subset: int
    shares: tuple[float, ...] = (0.25, 1.0)
    sweeps: Mapping[str, tuple[float, ...]] = field(hash=False, default_factory=lambda: _FEW)

    @property
    def frequencies(self) -> int:
        """How many frequencies of a map are distinct."""
        return self.images.size**2 // 2 + 2


def _domain(kind: str, samples: int, split: str = "test") -> tuple[Images, str]:
    return Images(kind, {"kind": kind}, 32, 0, samples, sample_s=200e-6), split


_DIGITS = Images("mnist5k", {"kind": "mnist5k"}, 32, train_samples=4000, test_samples=1000, sample_s=200e-6)
_UNSEEN = {
    "digits": _domain("digits", 1797, "all"),
    "mnist_m": _domain("mnist_m", 1000),
    "synth_digits": _domain("synth_digits", 1000),
    "inverted": _domain("inverted", 1000),
}
WHOLE = Setting(_DIGITS, _UNSEEN, epochs=24, tuning_epochs=12, subset=400, shares=(0.25, 0.5, 0.75, 1.0), sweeps=_MORE)
QUICK = Setting(_DIGITS, _UNSEEN, epochs=6, tuning_epochs=3, subset=50)
SEEDS, QUICK_SEEDS = 3, 1
BATCH, RATE = 64, 2e-3
SURROGATE_BATCH = 64


def training_job(setting: Setting, seed: int) -> dict[str, Any]:
    """Return what all trainings have in common."""
    return {
        "seed": seed,
        "network": {"kind": "lenet"},
        "epochs": setting.epochs,
        "batch_size": BATCH,
        "optimizer": {"kind": "adam", "lr": RATE, "weight_decay": 0.0},
        "schedule": {"kind": "cosine"},
    }
