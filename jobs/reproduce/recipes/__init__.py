"""The reproductions by name; each is a function of (quick, seeds), and those of `ALTERNATING` of rounds too."""

from collections.abc import Callable

from jobs.reproduce.recipe import Recipe
from jobs.reproduce.recipes.digits import digits
from jobs.reproduce.recipes.prime import prime
from jobs.reproduce.recipes.sharpdro import sharpdro
from pipeline.errors import PassbandError

RECIPES: dict[str, Callable[..., Recipe]] = {"prime": prime, "sharpdro": sharpdro, "digits": digits}
ALTERNATING = ("digits",)
"""Reproductions that generate and train in turn."""


def find_recipe(name: str, *, quick: bool = False, seeds: int | None = None, rounds: int | None = None) -> Recipe:
    """Return the reproduction called `name`; raise PassbandError if there is none, or if it has no rounds.

    Parameters
    ----------
    seeds : int or None
        Number of trainings of each kind; None: what the recipe says.
    rounds : int or None
        How often views are made against the newest network, and that is trained on them; None: once.
    """
    if name not in RECIPES:
        raise PassbandError(f"there is no reproduction called {name!r}; there are {', '.join(sorted(RECIPES))}")
    if rounds is None:
        return RECIPES[name](quick, seeds)
    if name not in ALTERNATING:
        raise PassbandError(f"rounds: {name} attacks no network, so it has no rounds; {', '.join(ALTERNATING)} has")
    return RECIPES[name](quick, seeds, rounds)
