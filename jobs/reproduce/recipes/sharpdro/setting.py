"""What is trained on in the reproduction of SharpDRO, how long, and by which objectives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.reproduce.recipes.parts import SEVERITIES, Images

CORRUPTIONS = ("gaussian_noise", "shot_noise", "snow")
TABLE = "imagenet"
LEVELS = (0, *SEVERITIES)
RHO = 0.05
_AWARE = {"kind": "sharpdro", "distribution": "aware", "perturbation": "l2"}
ERM, SAM, GROUP_DRO, SHARPDRO = "ERM", "SAM", "GroupDRO", "SharpDRO"
JTT, EIIL, AGNOSTIC = "JTT", "EIIL", "SharpDRO agnostic"
WITHOUT = "SharpDRO worst-only"
METHODS: Mapping[str, Mapping[str, Any]] = {
    ERM: {"kind": "erm"},
    "IRM": {"kind": "irm", "weight": 1.0},
    "V-REx": {"kind": "vrex"},
    GROUP_DRO: {"kind": "group_dro"},
    SHARPDRO: _AWARE,
    JTT: {"kind": "jtt"},
    EIIL: {"kind": "eiil"},
    AGNOSTIC: {"kind": "sharpdro", "distribution": "agnostic", "perturbation": "l2"},
    SAM: {"kind": "sam"},
    WITHOUT: {**_AWARE, "step": "worst_only"},
}
TABLE_1 = (ERM, "IRM", "V-REx", GROUP_DRO, SHARPDRO)
TABLE_2 = (JTT, EIIL, AGNOSTIC)
TABLE_3 = (ERM, SAM, GROUP_DRO, WITHOUT, SHARPDRO)
FIGURE_3 = (*TABLE_1, SAM)
FIGURE_LEVELS = (0, 3, 5)
"""Severities of which figures 3 and 4 have a chart each."""
EDGES = (0.0, 1e-6, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
BINS = ("0", "to .25", "to .5", "to 1", "to 2", "to 4", "to 8", "above")
"""Bins of figure 6, each up to its edge; weights of 0 are those that were cut."""
BATCH, LEARNING_RATE, MOMENTUM, DECAY, CLIP = 128, 0.02, 0.9, 5e-4, 2.0
NETWORK = {"kind": "lenet", "batch_norm": True}
SEEDS, QUICK_SEEDS = 3, 1


@dataclass(frozen=True)
class Training:
    """How every network is trained, but for its objective.

    Attributes
    ----------
    network, schedule, data : sections of the job
    """

    network: Mapping[str, Any] = field(hash=False)
    batch: int
    rate: float
    schedule: Mapping[str, Any] = field(hash=False)
    data: Mapping[str, Any] = field(hash=False, default_factory=dict)


SMALL = Training(NETWORK, BATCH, LEARNING_RATE, {"kind": "cosine"})


@dataclass(frozen=True)
class Setting:
    """How an image source is trained on.

    Attributes
    ----------
    epochs, quick_epochs : of every training
    table : of the corruptions' constants
    copies, every : in place of those of `Size`
    """

    images: Images
    epochs: int
    quick_epochs: int
    training: Training = SMALL
    table: str = TABLE
    copies: int | None = None
    every: int | None = None


SETTINGS = (
    Setting(
        Images(
            "mnist5k",
            {"kind": "mnist5k"},
            size=16,
            train_samples=4000,
            test_samples=1000,
            sample_s=60e-6,
            base=({"radial": {"low": 1, "range": "shift"}},),  # digits on grey: black ground has no shot noise
        ),
        epochs=20,
        quick_epochs=6,
    ),
    Setting(
        Images("photos", {"kind": "photos", "crop": 32}, 32, train_samples=3172, test_samples=786, sample_s=200e-6),
        epochs=24,
        quick_epochs=6,
    ),
)


@dataclass(frozen=True)
class Scope:
    """What is trained on; table 3 and the figures are about `studied`, as the paper takes one of its nine sets."""

    settings: tuple[Setting, ...]
    studied: Setting

    @property
    def studied_set(self) -> tuple[str, str]:
        """Images and corruption of table 3 and of the figures."""
        return self.studied.images.name, CORRUPTIONS[0]


SCOPE = Scope(SETTINGS, SETTINGS[1])


@dataclass(frozen=True)
class Size:
    """How much is computed.

    Attributes
    ----------
    copies : samples made of each image, each corrupted by draws of its own
    every : epochs between two points of figures 3 and 4
    rhos : of figure 5
    changes : objective -> options that a short training needs
    """

    quick: bool
    copies: int
    every: int
    rhos: tuple[float, ...]
    changes: Mapping[str, Mapping[str, Any]]

    def epochs(self, setting: Setting) -> int:
        """Return the epochs of a training."""
        return setting.quick_epochs if self.quick else setting.epochs

    def points(self, setting: Setting) -> tuple[int, ...]:
        """Return the epochs after which the landscape is measured, counted from 1."""
        every = self.steps_between(setting)
        return tuple(range(every, self.epochs(setting) + 1, every))

    def steps_between(self, setting: Setting) -> int:
        """Return the epochs between two points."""
        return self.every if setting.every is None or self.quick else setting.every

    def copies_of(self, setting: Setting) -> int:
        """Return how many samples are made of each image."""
        return self.copies if setting.copies is None else setting.copies

    def objective(self, method: str) -> dict[str, Any]:
        """Return the options of a method's objective."""
        options = METHODS[method]
        return {**options, **self.changes.get(options["kind"], {})}


_SHORT: Mapping[str, Mapping[str, Any]] = {
    "irm": {"anneal_steps": 100},
    "vrex": {"anneal_steps": 100},
    "jtt": {"first": {"epochs": 2}},
    "eiil": {"reference": {"epochs": 2}},
}
WHOLE = Size(False, copies=3, every=3, rhos=(0.005, 0.01, RHO, 0.1, 0.5, 1.0, 2.0), changes={})
QUICK = Size(True, copies=1, every=2, rhos=(0.005, RHO, 0.5), changes=_SHORT)
