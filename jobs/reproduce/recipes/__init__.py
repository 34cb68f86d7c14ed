"""The reproductions by name; each is a function of (quick, seeds)."""

from collections.abc import Callable

from jobs.reproduce.recipe import Recipe
from jobs.reproduce.recipes.prime import prime
from jobs.reproduce.recipes.sharpdro import sharpdro
from pipeline.errors import PassbandError

RECIPES: dict[str, Callable[[bool, int | None], Recipe]] = {"prime": prime, "sharpdro": sharpdro}


def find_recipe(name: str, *, quick: bool = False, seeds: int | None = None) -> Recipe:
    """Return the reproduction called `name`; raise PassbandError if there is none.

    Parameters
    ----------
    seeds : int or None
        Number of trainings of each kind; None: what the recipe says.
    """
    if name not in RECIPES:
        raise PassbandError(f"there is no reproduction called {name!r}; there are {', '.join(sorted(RECIPES))}")
    return RECIPES[name](quick, seeds)
