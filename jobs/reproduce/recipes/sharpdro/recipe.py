"""SharpDRO's tables and figures as one graph."""

from collections.abc import Mapping
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe
from passband.jobs.reproduce.recipes.parts import Nodes
from passband.jobs.reproduce.recipes.sharpdro.bench import Bench, over_all
from passband.jobs.reproduce.recipes.sharpdro.given import CHOSEN, GIVEN_IMAGES, given
from passband.jobs.reproduce.recipes.sharpdro.setting import (
    CLIP,
    CORRUPTIONS,
    DECAY,
    METHODS,
    MOMENTUM,
    QUICK,
    QUICK_SEEDS,
    RHO,
    SCOPE,
    SEEDS,
    TABLE_1,
    TABLE_2,
    WHOLE,
    Scope,
    Size,
)
from passband.jobs.reproduce.recipes.sharpdro.words import STUDIES, observe, tables


def sharpdro(quick: bool, seeds: int | None, images: Mapping[str, str] | None = None) -> Recipe:
    """Return the reproduction of the comparison of objectives by severity, of its ablation and of its figures.

    Parameters
    ----------
    images : name of one of the paper's image sets -> folder; None: the small real data in place of them
    """
    number, size = seeds or (QUICK_SEEDS if quick else SEEDS), QUICK if quick else WHOLE
    scope = given(images) if images else SCOPE
    nodes, measures = Nodes(), list[Measure]()
    for seed in range(number):
        for setting in scope.settings:
            for corruption in CORRUPTIONS:
                measures += Bench(nodes, setting, corruption, seed, size, scope).measures()
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
        f"and figures 3 to 6, on {'the images it names' if images else 'small real data'}",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(tables(size, scope)),
        settings=_settings(size, scope, images or {}),
        findings=FINDINGS,
        observe=observe,
    )


def _settings(size: Size, scope: Scope, images: Mapping[str, str]) -> dict[str, Any]:
    how, tables_used = scope.settings[0].training, {setting.images.name: setting.table for setting in scope.settings}
    return {
        "training sets": "one a type; each image at a severity drawn by Poisson(1) cut at 5; group = severity",
        "seeds": "seed s draws the severities and noise of the training set, the weights and the order; test sets are "
        "the same for all",
        "corruptions": list(CORRUPTIONS),
        "table of constants": tables_used if images else scope.studied.table,
        "network": dict(how.network),
        "optimizer": f"SGD, rate {how.rate}, {how.schedule['kind']} schedule, momentum {MOMENTUM}, weight decay "
        f"{DECAY}, batches of {how.batch}, gradients clipped to a norm of {CLIP:g}",
        "objectives": {method: size.objective(method) for method in METHODS},
        "ablation and figures": f"on {scope.studied_set[0]} with {scope.studied_set[1]}",
        "sharpness and gradient norm": f"of each severity's mean loss over all test images, with rho {RHO}",
        "rho": list(size.rhos),
        "weights of figure 6": "of the training images, by the network at the end of training, in batches as in it",
        "images": {
            setting.images.name: {
                "size": setting.images.size,
                "base": list(setting.images.base),
                "copies": size.copies_of(setting),
                "epochs": size.epochs(setting),
            }
            for setting in scope.settings
        },
        **({GIVEN_IMAGES: list(images), "of the given images": CHOSEN} if images else {}),
    }


FINDINGS: tuple[str, ...] = (
    "The paper finds SharpDRO first in nearly all columns of tables 1 and 2, and further ahead the severer the "
    "corruption; SAM alone below GroupDRO where severity is high (table 3); SharpDRO the least sharp, with nearly "
    "equal gradient norms at all severities (figures 3 and 4); larger rho better for high and worse for low severities "
    "(figure 5); and larger weights for severer images (figure 6). It trains for 200 epochs, by three trials.",
)
