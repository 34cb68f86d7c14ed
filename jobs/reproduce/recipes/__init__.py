"""The reproductions by name: functions of (quick, seeds), those of `ALTERNATING` and `TAKING_IMAGES` of more."""

from collections.abc import Callable, Mapping

from passband.jobs.reproduce.recipe import Recipe
from passband.jobs.reproduce.recipes.digits import digits
from passband.jobs.reproduce.recipes.fgmix import fgmix
from passband.jobs.reproduce.recipes.hfc import hfc
from passband.jobs.reproduce.recipes.margins import margins
from passband.jobs.reproduce.recipes.prime import prime
from passband.jobs.reproduce.recipes.sharpdro import GIVEN, sharpdro
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
TAKING_IMAGES = {"sharpdro": tuple(GIVEN)}
"""Reproduction -> names of the image sets of its paper that it takes from folders."""


def find_recipe(
    name: str,
    *,
    quick: bool = False,
    seeds: int | None = None,
    rounds: int | None = None,
    fine_tune: bool = False,
    images: Mapping[str, str] | None = None,
) -> Recipe:
    """Return the reproduction called `name`; raise PassbandError if there is none, or for what it does not take.

    Parameters
    ----------
    seeds : int or None
        Number of trainings of each kind; None: what the recipe says.
    rounds : int or None
        How often views are made against the newest network, and that is trained on them; None: once.
    fine_tune : bool
        Begin the first round with the network that is attacked, not from scratch.
    images : mapping or None
        Name of an image set of the paper -> its folder, which is not looked at; None: the small real data.
    """
    if name not in RECIPES:
        raise PassbandError(f"there is no reproduction called {name!r}; there are {', '.join(sorted(RECIPES))}")
    _refuse_images(name, images or {})
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
    return RECIPES[name](quick, seeds, images) if images else RECIPES[name](quick, seeds)


def _refuse_images(name: str, images: Mapping[str, str]) -> None:
    """Raise PassbandError for images that the reproduction does not take."""
    known = TAKING_IMAGES.get(name, ())
    if images and not known:
        raise PassbandError(f"images: {name} takes no images from folders; {', '.join(TAKING_IMAGES)} does")
    if unknown := [one for one in images if one not in known]:
        raise PassbandError(f"images: {name} knows no images called {unknown[0]!r}; there are {', '.join(known)}")
