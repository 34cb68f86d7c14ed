"""SharpDRO's tables and figures as one graph."""

from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe
from passband.jobs.reproduce.recipes.parts import Nodes
from passband.jobs.reproduce.recipes.sharpdro.bench import Bench, over_all
from passband.jobs.reproduce.recipes.sharpdro.setting import (
    BATCH,
    CLIP,
    CORRUPTIONS,
    DECAY,
    LEARNING_RATE,
    METHODS,
    MOMENTUM,
    NETWORK,
    QUICK,
    QUICK_SEEDS,
    RHO,
    SEEDS,
    SETTINGS,
    STUDIED,
    TABLE,
    TABLE_1,
    TABLE_2,
    WHOLE,
    Size,
)
from passband.jobs.reproduce.recipes.sharpdro.words import STUDIES, observe, tables


def sharpdro(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of the comparison of objectives by severity, of its ablation and of its figures."""
    number, size = seeds or (QUICK_SEEDS if quick else SEEDS), QUICK if quick else WHOLE
    nodes, measures = Nodes(), list[Measure]()
    for seed in range(number):
        for setting in SETTINGS:
            for corruption in CORRUPTIONS:
                measures += Bench(nodes, setting, corruption, seed, size).measures()
    measures += [
        over_all(measures, study, method, seed)
        for study, methods in ((STUDIES.aware, TABLE_1), (STUDIES.agnostic, TABLE_2))
        for seed in range(number)
        for method in methods
    ]
    return Recipe(
        name="sharpdro",
        title="SharpDRO: accuracy by severity of corruption",
        source="After “Robust generalization against corruptions via worst-case sharpness minimization”, tables 1 to 3 "
        "and figures 3 to 6, on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(tables(size)),
        settings=_settings(size),
        findings=FINDINGS,
        observe=observe,
    )


def _settings(size: Size) -> dict[str, Any]:
    return {
        "training sets": "one a type; each image at a severity drawn by Poisson(1) cut at 5; group = severity",
        "seeds": "seed s draws the severities and noise of the training set, the weights and the order; test sets are "
        "the same for all",
        "corruptions": list(CORRUPTIONS),
        "table of constants": TABLE,
        "network": dict(NETWORK),
        "optimizer": f"SGD, rate {LEARNING_RATE}, cosine schedule, momentum {MOMENTUM}, weight decay {DECAY}, batches "
        f"of {BATCH}, gradients clipped to a norm of {CLIP:g}",
        "objectives": {method: size.objective(method) for method in METHODS},
        "ablation and figures": f"on {STUDIED[0]} with {STUDIED[1]}",
        "sharpness and gradient norm": f"of each severity's mean loss over all test images, with rho {RHO}",
        "rho": list(size.rhos),
        "weights of figure 6": "of the training images, by the network at the end of training, in batches as in it",
        "images": {
            setting.images.name: {
                "size": setting.images.size,
                "base": list(setting.images.base),
                "copies": size.copies,
                "epochs": size.epochs(setting),
            }
            for setting in SETTINGS
        },
    }


FINDINGS: tuple[str, ...] = (
    "The paper finds SharpDRO first in nearly all columns of tables 1 and 2, and further ahead the severer the "
    "corruption; SAM alone below GroupDRO where severity is high (table 3); SharpDRO the least sharp, with nearly "
    "equal gradient norms at all severities (figures 3 and 4); larger rho better for high and worse for low severities "
    "(figure 5); and larger weights for severer images (figure 6). It trains for 200 epochs, by three trials.",
)
