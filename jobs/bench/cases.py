"""What is measured: every stage, every preset of it, and every corruption, at every size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.augment.corruption import CORRUPTIONS
from passband.pipeline.augment.prime_options import PRESETS
from passband.pipeline.errors import PassbandError

SIZES = (32, 64, 224)
SMALLEST = 16
SEVERITY = 3
Options = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One stage with its options, on images of one size.

    Attributes
    ----------
    variant : which of the stage's, "" where it has one
    batch : images in a run
    """

    stage: str
    variant: str
    size: int
    batch: int
    options: Options

    @property
    def name(self) -> str:
        """Stage and variant, as ``prime/cifar``."""
        return f"{self.stage}/{self.variant}" if self.variant else self.stage

    @property
    def key(self) -> str:
        """Name and size, which no other case has."""
        return f"{self.name}@{self.size}"


def _prime(size: int, severity: int) -> dict[str, Options]:
    alone = {f"only-{name}": {"preset": "cifar", "primitives": [name]} for name in ("spectral", "spatial", "color")}
    return {**{preset: {"preset": preset} for preset in PRESETS}, **alone}


VARIANTS: dict[str, Callable[[int, int], dict[str, Options]]] = {
    "radial": lambda size, severity: {
        "low": {"high": size / 4},
        "high": {"low": size / 4},
        "band": {"low": size / 8, "high": size / 4},
    },
    "dct": lambda size, severity: {keep: {"size": size // 2, "keep": keep} for keep in ("low", "high")},
    "dct_flip": lambda size, severity: {"": {}},
    "svd": lambda size, severity: {keep: {"rank": size // 4, "keep": keep} for keep in ("leading", "trailing")},
    "phase_only": lambda size, severity: {"": {}},
    "prime": _prime,
    "augmix": lambda size, severity: {"": {}},
    # The surrogate of attacks is added where the images are. An untrained one is never fooled, so that all steps are
    # taken: as many as samples of a trained one take about.
    "sada": lambda size, severity: {"": {"map": "none"}},
    "deepfool": lambda size, severity: {"": {"steps": 3}},
    "sparsefool": lambda size, severity: {"": {"steps": 3, "rounds": 2}},
    "corrupt": lambda size, severity: {name: {"types": name, "severity": severity} for name in CORRUPTIONS},
}
"""Stage -> (size, severity) -> variant -> options; any other stage of `AUGMENTATIONS` is measured by its defaults."""


def is_attack(stage: str) -> bool:
    """Tell whether a stage attacks a network."""
    return stage in AUGMENTATIONS and "surrogate" in AUGMENTATIONS[stage].Options.model_fields


def _variants(stage: str, size: int, severity: int) -> dict[str, Options]:
    """Return variant -> options; none for a stage that is not in `VARIANTS` and needs options."""
    if stage in VARIANTS:
        return VARIANTS[stage](size, severity)
    needed = any(field.is_required() for field in AUGMENTATIONS[stage].Options.model_fields.values())
    return {} if needed else {"": {}}


_VALUES = {"cpu": 2**23, "cuda": 2**27}
"""Of a batch, at most: 32 MiB of float32 on a CPU, where more gains nothing; 512 MiB to fill a GPU."""
_IMAGES = {"cpu": 256, "cuda": 8192}


def default_batch(backend: str, size: int) -> int:
    """Return how many images of `size` x `size` a run takes: a power of two."""
    most = min(_IMAGES[backend], _VALUES[backend] // (3 * size * size))
    return 1 << max(0, most.bit_length() - 1)


def make_cases(
    sizes: Sequence[int],
    patterns: Sequence[str] = (),
    *,
    severity: int = SEVERITY,
    batch: Callable[[int], int],
) -> list[Case]:
    """Return the cases whose name or stage fits one of `patterns` (all without one), size by size.

    Parameters
    ----------
    batch : callable
        Size -> images in a run.

    Raises
    ------
    PassbandError
        If a pattern fits nothing.
    """
    every = [
        Case(stage, variant, size, batch(size), options)
        for size in dict.fromkeys(sizes)
        for stage in AUGMENTATIONS
        for variant, options in _variants(stage, size, severity).items()
    ]
    for pattern in patterns:
        if not any(_fits(case, pattern) for case in every):
            names = ", ".join(dict.fromkeys(case.name for case in every))
            raise PassbandError(f"--stage {pattern}: fits none of {names}")
    return [case for case in every if not patterns or any(_fits(case, pattern) for pattern in patterns)]


def _fits(case: Case, pattern: str) -> bool:
    return fnmatchcase(case.name, pattern) or fnmatchcase(case.stage, pattern)
