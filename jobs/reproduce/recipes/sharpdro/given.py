"""SharpDRO's own images, where somebody has them: how each is read, and the settings of the paper."""

from collections.abc import Mapping

from passband.jobs.reproduce.recipes.parts import Images
from passband.jobs.reproduce.recipes.sharpdro.setting import Scope, Setting, Training

PAPER = Training(
    {"kind": "wide_resnet16_4"},
    batch=100,
    rate=0.1,
    schedule={"kind": "step", "milestones": [0.3, 0.6, 0.8], "factor": 0.2},
    data={"flip": True},
)
EPOCHS, QUICK_EPOCHS, EVERY = 200, 2, 10
CHOSEN = (
    "The text has images, corruptions and severities, rho and three trials. Epochs, rate and its schedule, batches, "
    "weight decay and flips are those of the authors' code. Its network is a Wide ResNet of depth 28 and width 2; here "
    "it has depth 16 and width 4, and gradients are clipped as on small data. Each image is one sample of one severity."
)
GIVEN_IMAGES = "given images"
"""The key of settings that names them."""
_SAMPLE_S = 18e-3
"""Seconds of one core for a forward and a backward pass of an image of 32 pixels through the network."""


def _cifar(kind: str, path: str) -> Images:
    return Images(kind, {"kind": kind, "path": path}, 32, train_samples=50_000, test_samples=10_000, sample_s=_SAMPLE_S)


def _imagenet30(kind: str, path: str) -> Images:
    source = {"kind": "imagefolder", "path": path}
    return Images(kind, source, 64, train_samples=39_000, test_samples=3_000, sample_s=4 * _SAMPLE_S)


GIVEN = {"cifar10": (_cifar, "cifar"), "cifar100": (_cifar, "cifar"), "imagenet30": (_imagenet30, "tiny")}
"""Name -> what makes its images, and the table of its corruptions' constants."""


def given(images: Mapping[str, str]) -> Scope:
    """Return what is trained on where images are given; table 3 and the figures are about the first, as GIVEN has them.

    Parameters
    ----------
    images : name in `GIVEN` -> folder
    """
    settings = tuple(
        Setting(make(name, images[name]), EPOCHS, QUICK_EPOCHS, PAPER, table, copies=1, every=EVERY)
        for name, (make, table) in GIVEN.items()
        if name in images
    )
    return Scope(settings, settings[0])
