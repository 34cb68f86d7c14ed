"""Margins of networks along the diagonal of the DCT, on images (Modas 2022, 4.3 and 4.4.2): a part of `margins`."""

from collections.abc import Iterator
from typing import Any

from passband.jobs.reproduce.recipe import Measure
from passband.jobs.reproduce.recipes.diagonal.bench import Bench
from passband.jobs.reproduce.recipes.diagonal.setting import (
    ATTACK_STEPS,
    BLOCK,
    QUICK,
    RATE,
    SETTINGS,
    STEP,
    TUNING_RATE,
    WHOLE,
    Size,
)
from passband.jobs.reproduce.recipes.diagonal.words import observe, tables
from passband.jobs.reproduce.recipes.parts import Nodes

__all__ = ["measures", "observe", "settings", "size_of", "tables"]


def size_of(quick: bool) -> Size:
    """Return how much is computed."""
    return QUICK if quick else WHOLE


def measures(nodes: Nodes, size: Size, seed: int) -> Iterator[Measure]:
    """Enter the networks of a seed into a graph; yield what is told of them."""
    for setting in SETTINGS:
        yield from Bench(nodes, setting, size, seed).measures()


def settings(size: Size) -> dict[str, Any]:
    """Return what was chosen, as it goes into ``results.json``."""
    return {
        "images": {
            setting.name: {
                "pixels": setting.images.size,
                "network": dict(setting.network),
                "low and high": f"the {setting.kept} x {setting.kept} lowest and highest frequencies of the DCT",
                "l2 radius": setting.radius,
            }
            for setting in SETTINGS
        },
        "representations": "flipped: every image put on [0, 1], so its margins are in units of its own span; "
        "low: clipped; high: 0.5 is added, then clipped",
        "trained on images": f"{size.epochs} epochs, batches of 128, momentum 0.9, weight decay 5e-4, gradients "
        f"clipped to a norm of 0.5, one-cycle rate up to {RATE}; going on: {size.tuning_epochs} epochs, a cosine "
        f"from {TUNING_RATE}",
        "adversarial training": f"PGD, l2, {ATTACK_STEPS} steps of 2.5 radii together, from the image itself; figure "
        f"4.12: the same at a constant rate of {TUNING_RATE}, and the perturbations of {size.attacked} training images",
        "subspaces of images": f"{BLOCK} x {BLOCK} blocks along the diagonal, {STEP} apart, of every channel",
        "margins of images": f"DeepFool within the subspace, at most 100 steps, of {size.subset} test images",
    }
