"""The reproductions by name; each is a function of (quick, seeds), and those of `ALTERNATING` of more."""

from collections.abc import Callable

from passband.jobs.reproduce.recipe import Recipe
from passband.jobs.reproduce.recipes.digits import digits
from passband.jobs.reproduce.recipes.fgmix import fgmix
from passband.jobs.reproduce.recipes.hfc import hfc
from passband.jobs.reproduce.recipes.margins import margins
from passband.jobs.reproduce.recipes.prime import prime
from passband.jobs.reproduce.recipes.sharpdro import sharpdro
from passband.pipeline.errors import PassbandError

RECIPES: dict[str, Callable[..., Recipe]] = {
    "prime": prime,
    "sharpdro": sharpdro,
    "digits": digits,
    "hfc": hfc,
    "margins": margins,
    "fgmix": fgmix,
}
ALTERNATING = ("digits",)
"""Reproductions that generate and train in turn."""


def find_recipe(
    name: str, *, quick: bool = False, seeds: int | None = None, rounds: int | None = None, fine_tune: bool = False
) -> Recipe:
    """Return the reproduction called `name`; raise PassbandError if there is none, or for rounds of one without.

    Parameters
    ----------
    seeds : int or None
        Number of trainings of each kind; None: what the recipe says.
    rounds : int or None
        How often views are made against the newest network, and that is trained on them; None: once.
    fine_tune : bool
        Begin the first round with the network that is attacked, not from scratch.
    """
    if name not in RECIPES:
        raise PassbandError(f"there is no reproduction called {name!r}; there are {', '.join(sorted(RECIPES))}")
    if name in ALTERNATING:
        return RECIPES[name](quick, seeds, rounds or 1, fine_tune)
    if rounds is not None:
        raise PassbandError(
            f"rounds: {name} makes no images against a network, so it has no rounds; {', '.join(ALTERNATING)} has"
        )
    if fine_tune:
        raise PassbandError(
            f"fine-tune: {name} makes no images against a network that it could begin with; use it with digits"
        )
    return RECIPES[name](quick, seeds)
