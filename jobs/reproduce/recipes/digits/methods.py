"""The methods of the digits tables: which views each is trained on, and by which objective."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.reproduce.recipes.parts import CLEAN

PLAIN, MIXED, ENHANCED, ORIGINAL, RANDOM = "plain", "mixed", "enhanced", "original", "random"
FLAVOURS: Mapping[str, Mapping[str, Any]] = {
    ENHANCED: {"map_name": "enhanced"},
    ORIGINAL: {"map_name": "original"},
    RANDOM: {"random_only": True},
}
"""Training set -> options of sada. PLAIN and MIXED need no surrogate, and RANDOM no map."""
ATTACK = {"steps": 5, "step_size": 0.08, "init": 0.2}
"""The paper's numbers for digits."""
JSD_WEIGHT = 0.25
"""Of SADA's recipes and ablations."""
BASELINE_WEIGHT = 12.0
"""Of AugMix and PRIME, as in their papers."""


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes
    ----------
    data : training set: PLAIN, MIXED, or one of FLAVOURS
    views : of it, the clean one first
    """

    name: str
    data: str
    views: tuple[str, ...]
    objective: Mapping[str, Any] = field(hash=False)

    @property
    def attacks(self) -> bool:
        """Whether its training set is made against a surrogate."""
        return self.data in FLAVOURS

    @property
    def attacks_online(self) -> bool:
        """Whether each step of its training attacks the network that is trained."""
        return "attack" in self.objective

    def count(self, view: str) -> int:
        """Return how many views of a kind it is trained on."""
        return sum(name.startswith(f"{view}-") for name in self.views)


def _views(*, sada: int = 0, mix: int = 0, prime: int = 0) -> tuple[str, ...]:
    counts = {"sada": sada, "mix": mix, "prime": prime}
    return (CLEAN, *(f"{kind}-{copy + 1}" for kind, count in counts.items() for copy in range(count)))


_JSD = {"kind": "jsd", "weight": JSD_WEIGHT}
_BASELINE = {"kind": "jsd", "weight": BASELINE_WEIGHT}
ERM, AUGMIX, PRIME = "ERM", "AugMix", "PRIME"
BASELINES = (ERM, AUGMIX, PRIME)
ONE, TWO, THREE = "1sada+2mix", "2sada+1mix", "3sada+0mix"
RECIPES = (ONE, TWO, THREE)
NO_SADA, NO_MIX, NO_JSD = "without SADA", "without Mix", "without JSD"
WITH_ENHANCED, WITH_ORIGINAL, WITH_RANDOM = "enhanced map", "original map", "random perturbation"
ONLY_MIX = Method("0sada+3mix", MIXED, _views(mix=3), _JSD)
"""As many views as SADA's recipes have, without an attack."""
ONLINE = Method("1sada+2mix in training", ENHANCED, _views(mix=2), {**_JSD, "attack": {"copies": 1, **ATTACK}})
"""The stored views of AugMix that 1sada+2mix has, and its attacked one made in each step."""
METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(ERM, PLAIN, _views(), {"kind": "erm"}),
        Method(AUGMIX, PLAIN, _views(mix=2), _BASELINE),
        Method(PRIME, PLAIN, _views(prime=2), _BASELINE),
        Method(ONE, ENHANCED, _views(sada=1, mix=2), _JSD),
        Method(TWO, ENHANCED, _views(sada=2, mix=1), _JSD),
        Method(THREE, ENHANCED, _views(sada=3), _JSD),
        Method(NO_SADA, PLAIN, _views(mix=1), _JSD),
        Method(NO_MIX, ENHANCED, _views(sada=2), _JSD),
        Method(NO_JSD, ENHANCED, _views(sada=2, mix=1), {"kind": "erm", "on": "all"}),
        Method(WITH_ORIGINAL, ORIGINAL, _views(sada=3), _JSD),
        Method(WITH_RANDOM, RANDOM, _views(sada=3), _JSD),
    )
}
MAIN: Mapping[str, str] = {name: name for name in (*BASELINES, *RECIPES)}
ABLATION: Mapping[str, str] = {name: name for name in (TWO, NO_SADA, NO_MIX, NO_JSD)}
FIGURE_6: Mapping[str, str] = {
    WITH_ENHANCED: THREE,
    WITH_ORIGINAL: WITH_ORIGINAL,
    WITH_RANDOM: WITH_RANDOM,
}
"""Name in a table -> method; one that stands in two tables is one training."""
