"""Methods with one thing changed: views, the weight of JSD, the share that is augmented, how and when is attacked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from passband.jobs.reproduce.recipes.digits.methods import (
    ATTACK,
    AUGMIX,
    BASELINE_WEIGHT,
    JSD_WEIGHT,
    METHODS,
    ONE,
    ONLINE,
    ONLY_MIX,
    RECIPES,
    TWO,
    Method,
)
from passband.jobs.reproduce.recipes.digits.words import AVERAGE, IN_STEPS, STORED, STUDIES, SWEEPS, UNMAPPED

WEIGHED = (METHODS[AUGMIX], ONLY_MIX, *(METHODS[name] for name in RECIPES))
"""Methods whose weight is changed."""
EFFICIENT = (AUGMIX, TWO)
"""Methods that are trained with a share of their views."""


@dataclass(frozen=True)
class Variation:
    """A cell of a table of variations.

    Attributes
    ----------
    study, row, condition : where it stands
    base : name of the method that is changed
    method : what is trained
    attack : options of sada in place of `ATTACK`'s
    share : of the samples, whose views are trained on; None is all
    """

    study: str
    row: str
    condition: str
    base: str
    method: Method
    attack: Mapping[str, Any] = field(hash=False, default_factory=dict)
    share: float | None = None

    @property
    def changed(self) -> bool:
        """Whether it is another training than that of its method."""
        return self.method != METHODS[self.base] or bool(self.attack) or self.share is not None


def variations(shares: Sequence[float], sweeps: Mapping[str, Sequence[float]]) -> Iterator[Variation]:
    """Yield the cells of all tables of variations, the methods as they are among them.

    Parameters
    ----------
    shares : in ascending order, up to 1
    sweeps : study of `SWEEPS` -> its values in ascending order
    """
    for method in WEIGHED:
        for weight in (JSD_WEIGHT, BASELINE_WEIGHT):
            base = AUGMIX if method == ONLY_MIX else method.name
            yield Variation(STUDIES.weights, method.name, f"{weight:g}", base, weighed(method, weight))
    for name in EFFICIENT:
        for share in shares:
            kept = None if share == 1 else share
            method = METHODS[name] if kept is None else replace(METHODS[name], name=f"{name} of {share:g}")
            yield Variation(STUDIES.shares, name, f"{share:g}", name, method, share=kept)
    for study, values in sweeps.items():
        yield from (_swept(study, value) for value in values)


def attacks() -> Iterator[Variation]:
    """Yield the ways to make the attacked view of 1sada+2mix: stored, with a map and without, and in each step."""
    stored = METHODS[ONE]
    unmapped = replace(stored, name=f"{ONE} without map")
    yield Variation(STUDIES.attacks, STORED, AVERAGE, ONE, stored)
    yield Variation(STUDIES.attacks, UNMAPPED, AVERAGE, ONE, unmapped, attack={"map": "none", "map_name": None})
    yield Variation(STUDIES.attacks, IN_STEPS, AVERAGE, ONE, ONLINE)


def _swept(study: str, value: float) -> Variation:
    """Return the recipe of figure 7 with another value."""
    method, option = METHODS[TWO], SWEEPS[study]
    if option is None:
        return Variation(study, TWO, f"{value:g}", TWO, weighed(method, value))
    if value == ATTACK[option]:
        return Variation(study, TWO, f"{value:g}", TWO, method)
    named = replace(method, name=f"{TWO} {study} {value:g}")
    return Variation(study, TWO, f"{value:g}", TWO, named, attack={option: value})


def weighed(method: Method, weight: float) -> Method:
    """Return a method with another weight of JSD."""
    if method.objective["weight"] == weight:
        return method
    return replace(method, name=f"{method.name} weight {weight:g}", objective={**method.objective, "weight": weight})
