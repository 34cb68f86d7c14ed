"""How large the margins along the DCT diagonal are: images, networks, how long they learn, and what is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.reproduce.recipes.parts import CLEAN, Images

FLIPPED, LOW, HIGH = "flipped", "low", "high"
BLOCK, STEP = 8, 2
DCT, RANDOM = "dct", "random"
ATTACK_STEPS = 7


@dataclass(frozen=True)
class Setting:
    """Images, and how networks learn them.

    Attributes
    ----------
    radius : of adversarial training, l2 (the thesis, table A.6)
    margin_s : seconds of one core for the margin of an image in one subspace
    """

    images: Images
    network: Mapping[str, Any] = field(hash=False)
    radius: float
    margin_s: float

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.images.name

    @property
    def kept(self) -> int:
        """Frequencies that low- and high-pass keep of each axis: half, so that they share none; 16 of 32 as there."""
        return self.images.size // 2

    @property
    def frequencies(self) -> tuple[int, ...]:
        """The lowest frequency of each subspace."""
        return tuple(range(0, self.images.size - BLOCK + 1, STEP))

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        """What makes each representation but the clean one; the flipped images are put on [0, 1] one by one."""
        return {
            FLIPPED: {"dct_flip": {"range": "minmax"}},
            LOW: {"dct": {"size": self.kept, "keep": "low", "range": "clip"}},
            HIGH: {"dct": {"size": self.kept, "keep": "high", "range": "shift"}},
        }

    @property
    def views(self) -> tuple[str, ...]:
        """Names of all representations."""
        return (CLEAN, *self.stages)


@dataclass(frozen=True)
class Size:
    """How much is computed.

    Attributes
    ----------
    epochs : of a training from scratch
    tuning_epochs : of one that goes on from another's weights
    adversarial_epochs : after which the perturbations of adversarial training are looked at
    subset : test images whose margins are measured
    attacked : training images that are perturbed
    """

    epochs: int
    tuning_epochs: int
    adversarial_epochs: tuple[int, ...]
    subset: int
    attacked: int


SETTINGS = (
    Setting(
        Images("mnist5k", {"kind": "mnist5k"}, 28, train_samples=4000, test_samples=1000, sample_s=150e-6),
        {"kind": "lenet"},
        radius=2.0,
        margin_s=4e-3,
    ),
    Setting(
        Images("photos", {"kind": "photos", "crop": 32}, 32, train_samples=3172, test_samples=786, sample_s=250e-6),
        {"kind": "lenet", "batch_norm": True},
        radius=1.0,
        margin_s=15e-3,  # of some images no class is in reach, which takes all steps
    ),
)
WHOLE = Size(epochs=30, tuning_epochs=30, adversarial_epochs=(1, 2, 4, 8, 16), subset=200, attacked=1000)
QUICK = Size(epochs=5, tuning_epochs=3, adversarial_epochs=(1, 2), subset=40, attacked=100)
RATE, TUNING_RATE = 0.21, 0.05


def training_job(seed: int, epochs: int) -> dict[str, Any]:
    """Return what all trainings have in common: as in table A.2, with the clipping of the authors' code."""
    return {
        "seed": seed,
        "objective": {"kind": "erm"},
        "epochs": epochs,
        "batch_size": 128,
        "optimizer": {"kind": "sgd", "lr": RATE, "momentum": 0.9, "weight_decay": 5e-4},
        "schedule": {"kind": "one_cycle"},
        "clip_norm": 0.5,
    }
