"""What is trained on in the reproduction of FGMix, how long, and by which objectives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passband.jobs.reproduce.recipes.parts import Images
from passband.jobs.reproduce.rows import IMAGES, RATIO, TIME, Row


def _domain(kind: str, train: int = 4000, test: int = 1000) -> Images:
    return Images(kind, {"kind": kind}, 32, train_samples=train, test_samples=test, sample_s=120e-6)


DOMAINS = (
    _domain("mnist5k"),
    _domain("digits", 1442, 355),
    _domain("mnist_m"),
    _domain("synth_digits"),
    _domain("inverted"),
)
PER_DOMAIN, RATE = 32, 1e-3
BATCH = PER_DOMAIN * (len(DOMAINS) - 1)
MIXED_S: Mapping[str, float] = {**dict.fromkeys("ABCD", 1.5e-3), "E": 7.5e-3, "F": 6e-3, "fgmix": 7.5e-3}
"""Seconds of one core that a variant adds to a step of ERM once it mixes."""
ERM, FGMIX, AVERAGE, HELD_OUT = "ERM", "FGMix", "average", "held out"
BASELINES: Mapping[str, Mapping[str, Any]] = {
    ERM: {"kind": "erm"},
    "Mixup": {"kind": "mixup", "alpha": 0.2},
    "Manifold-mixup": {"kind": "manifold_mixup"},
    "CORAL": {"kind": "coral"},
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    **{variant: {"kind": "fgmix", "variant": variant} for variant in "ABCDEF"},
    FGMIX: {"kind": "fgmix"},
}
METHODS: Mapping[str, Mapping[str, Any]] = {**BASELINES, **VARIANTS}
AVERAGED = (ERM, "CORAL", FGMIX)
SWA, SWA_START = "-SWA", 0.1
TABLES: Mapping[str, Sequence[str]] = {
    "table 1": (*BASELINES, FGMIX, *(method + SWA for method in AVERAGED)),
    "table 2": tuple(VARIANTS),
}
FLAT = (ERM, "A", "C", FGMIX)
"""The methods of figure 5."""
EXTRAPOLATING = ("D", "E", "F", FGMIX)
"""The methods whose weights may be negative."""
LOGGED_EVERY, LOGGED_LINES = 5, 10
"""Steps between lines of the log, and lines from the last one on that the share of extrapolation is the mean of."""
SURFACE_DOMAIN = "mnist_m"
"""Left out in figure 6."""
LAMBDA, SCALE = 0.1, 3.0
"""Those of FGMix in the other tables, which are the objective's defaults."""


@dataclass(frozen=True)
class Setting:
    """How the domains are trained on, how long, and how closely the losses are looked at.

    Attributes
    ----------
    start : steps of ERM before FGMix and its variants mix
    path : steps between two points of a path of figure 6
    images : that the losses of figures 5 and 6 are of
    directions, radii : of figure 5
    points : of figure 6, on a side
    lambdas, scales : of table C.3
    blocks : of steps whose time is taken
    """

    domains: tuple[Images, ...]
    steps: int
    start: int
    seeds: int
    path: int
    images: int
    directions: int
    radii: tuple[float, ...]
    points: int
    lambdas: tuple[float, ...]
    scales: tuple[float, ...]
    sensitive: tuple[str, ...]
    blocks: int

    @property
    def path_steps(self) -> tuple[int, ...]:
        """Return the steps that figure 6 shows."""
        return tuple(range(0, self.steps + 1, self.path))


WHOLE = Setting(
    DOMAINS,
    steps=1500,
    start=900,
    seeds=3,
    path=150,
    images=512,
    directions=50,
    radii=(2.0, 4.0, 8.0, 12.0, 16.0),
    points=17,
    lambdas=(0.01, 0.03, LAMBDA, 0.3),
    scales=(1.0, SCALE, 5.0, 8.0),
    sensitive=tuple(one.name for one in DOMAINS),
    blocks=9,
)
QUICK = Setting(
    DOMAINS,
    steps=150,
    start=90,
    seeds=1,
    path=30,
    images=256,
    directions=10,
    radii=(4.0, 16.0),
    points=7,
    lambdas=(0.01, LAMBDA),
    scales=(1.0, SCALE),
    sensitive=(SURFACE_DOMAIN,),
    blocks=3,
)
TIMED: Mapping[str, tuple[int, int]] = {"lenet": (PER_DOMAIN, 10), "resnet18": (8, 1)}
"""Network -> images of each domain in a batch, and steps of a block."""
_PRINTED_C3: Mapping[float, tuple[float, ...]] = {
    1: (47.9, 48.2, 46.3, 46.5),
    3: (47.3, 47.1, 49.2, 49.0),
    5: (44.3, 44.0, 46.5, 46.1),
    8: (43.1, 44.0, 44.8, 45.1),
}
_PRINTED_MS = (284.8, 312.7)
RATIO_NAME = "times"
"""The column of times over ERM's."""


def published(setting: Setting) -> tuple[Row, ...]:
    """Return the paper's own numbers of table C.3, on TerraIncognita, and of the time of a step, with ResNet-50."""
    printed = dict(zip(WHOLE.lambdas, zip(*(_PRINTED_C3[scale] for scale in setting.scales), strict=True), strict=True))
    sensitivity = [
        Row({"study": "C.3", "method": f"paper, a = {scale:g}"}, f"{weight:g}", (value,), IMAGES)
        for weight in setting.lambdas
        for scale, value in zip(setting.scales, printed[weight], strict=True)
    ]
    where, (erm, ours) = {"study": "time", "method": "paper, ResNet-50"}, _PRINTED_MS
    times = [Row(where, name, (value,), TIME) for name, value in ((ERM, erm), (FGMIX, ours))]
    return (*sensitivity, *times, Row(where, RATIO_NAME, (ours / erm,), RATIO))
