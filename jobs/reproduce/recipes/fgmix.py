"""FGMix's tables 1 and 2: each of five domains of digits is left out in turn, and the others are trained on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe, Seen
from passband.jobs.reproduce.recipes.parts import CLEAN, Images, Nodes
from passband.jobs.reproduce.rows import Block, Table


@dataclass(frozen=True)
class Setting:
    """How the domains are trained on, and how long.

    Attributes
    ----------
    start : steps of ERM before FGMix and its variants mix
    """

    domains: tuple[Images, ...]
    steps: int
    start: int
    seeds: int


def _domain(kind: str, train: int = 4000, test: int = 1000) -> Images:
    return Images(kind, {"kind": kind}, 32, train_samples=train, test_samples=test, sample_s=200e-6)


DOMAINS = (
    _domain("mnist5k"),
    _domain("digits", 1442, 355),
    _domain("mnist_m"),
    _domain("synth_digits"),
    _domain("inverted"),
)
WHOLE = Setting(DOMAINS, steps=2000, start=1200, seeds=3)
QUICK = Setting(DOMAINS, steps=150, start=90, seeds=1)
SETTINGS = (WHOLE, QUICK)
PER_DOMAIN, RATE = 32, 1e-3
BATCH = PER_DOMAIN * (len(DOMAINS) - 1)
POLICY_S = 10e-3
"""Seconds of one core that FGMix adds to a step."""

FGMIX, AVERAGE, HELD_OUT = "FGMix", "average", "held out"
BASELINES: Mapping[str, Mapping[str, Any]] = {
    "ERM": {"kind": "erm"},
    "Mixup": {"kind": "mixup", "alpha": 0.2},
    "Manifold-mixup": {"kind": "manifold_mixup"},
    "CORAL": {"kind": "coral"},
}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    **{variant: {"kind": "fgmix", "variant": variant} for variant in "ABCDEF"},
    FGMIX: {"kind": "fgmix"},
}
METHODS: Mapping[str, Mapping[str, Any]] = {**BASELINES, **VARIANTS}
AVERAGED = ("ERM", "CORAL", FGMIX)
SWA, SWA_START = "-SWA", 0.1
STUDIES: Mapping[str, Sequence[str]] = {
    "table 1": (*BASELINES, FGMIX, *(method + SWA for method in AVERAGED)),
    "table 2": tuple(VARIANTS),
}


def fgmix(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of the comparison and of the ablation, on domains of digits."""
    setting = QUICK if quick else WHOLE
    number = seeds or setting.seeds
    nodes, measures = Nodes(), list[Measure]()
    for seed in range(number):
        measures += _one_seed(nodes, setting, seed)
    return Recipe(
        name="fgmix",
        title="FGMix: accuracy on a domain that is left out",
        source="After tables 1 and 2 of “Learning gradient-based mixup with extrapolation toward flatter minima for "
        "domain generalization”, on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(_tables(setting)),
        settings=_settings(setting),
        findings=CHOICE,
        observe=observe,
    )


def _one_seed(nodes: Nodes, setting: Setting, seed: int) -> Iterator[Measure]:
    names = [*METHODS, *(method + SWA for method in AVERAGED)]
    seen = {name: _leave_each_out(nodes, setting, name, seed) for name in names}
    for study, methods in STUDIES.items():
        for what in (CLEAN, HELD_OUT):
            for method in methods:
                yield Measure({"study": study, "images": what, "method": method}, seed, _with_mean(seen[method][what]))


def _with_mean(conditions: Mapping[str, Sequence[Seen]]) -> dict[str, Sequence[Seen]]:
    return {**conditions, AVERAGE: [one for seen in conditions.values() for one in seen]}


def _leave_each_out(nodes: Nodes, setting: Setting, name: str, seed: int) -> dict[str, dict[str, list[Seen]]]:
    """Train with each domain left out; return what is seen of it, and of what the others held out, by the domain."""
    found: dict[str, dict[str, list[Seen]]] = {CLEAN: {}, HELD_OUT: {}}
    tests = {one.name: nodes.dataset(f"{one.name}-test", one.job("test", []), 1.0) for one in setting.domains}
    for left in setting.domains:
        others = [one for one in setting.domains if one != left]
        train = nodes.dataset(f"without-{left.name}", _joined(others), 4.0)
        seconds = 1.0 + setting.steps * (BATCH * left.sample_s + POLICY_S)
        training = nodes.training(f"{left.name}-{name}-{seed}", _training_job(setting, name, seed), train, seconds)
        cost = sum(one.evaluation_seconds(1, 1) for one in setting.domains)
        measured = nodes.evaluation(training, dict.fromkeys(tests.values(), (CLEAN,)), cost)
        found[CLEAN][left.name] = [Seen(measured, tests[left.name], CLEAN)]
        found[HELD_OUT][left.name] = [Seen(measured, tests[one.name], CLEAN) for one in others]
    return found


def _joined(domains: Sequence[Images]) -> dict[str, Any]:
    """Return the job of the training images of some domains, which are groups."""
    first = domains[0].job("train", [])
    sources = [{**one.source, "split": "train", "domain": one.name} for one in domains]
    return first | {"source": sources, "group": "domain"}


def _training_job(setting: Setting, name: str, seed: int) -> dict[str, Any]:
    objective = METHODS[name.removesuffix(SWA)]
    starts = {"start_step": setting.start} if objective["kind"] == "fgmix" else {}
    return {
        "seed": seed,
        "data": {"balance": "group_class"},
        "network": {"kind": "lenet"},
        "objective": {**objective, **starts},
        "steps": setting.steps,
        "batch_size": BATCH,
        "optimizer": {"kind": "adam", "lr": RATE, "weight_decay": 0.0},
        "schedule": {"kind": "constant"},
        **({"swa": {"start": SWA_START}} if name.endswith(SWA) else {}),
    }


def _tables(setting: Setting) -> Iterator[Table]:
    columns = (*((one.name, one.name) for one in setting.domains), (AVERAGE, "avg"))
    for study in STUDIES:
        yield Table(f"The domain that was left out ({study})", {"study": study, "images": CLEAN}, columns)
    for study in STUDIES:
        title = f"Held-out images of the domains that were trained on ({study}), by the domain left out"
        yield Table(title, {"study": study, "images": HELD_OUT}, columns)


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say of FGMix beside ERM, of averaged weights, and of each part of table 2."""
    found = {block.table.where["study"]: block for block in blocks if block.table.where["images"] == CLEAN}
    means = {
        study: {method: last.mean for method, rows in block.methods.items() if (last := rows[-1]) is not None}
        for study, block in found.items()
    }
    main, parts = means.get("table 1", {}), means.get("table 2", {})
    sentences = []
    if {"ERM", FGMIX} <= set(main):
        rank = 1 + sum(mean > main[FGMIX] for method, mean in main.items() if not method.endswith(SWA))
        sentences.append(
            f"On the domain left out FGMix differs from ERM by {main[FGMIX] - main['ERM']:+.1f} points on average, and "
            f"is number {rank} of {len(BASELINES) + 1} without averaged weights."
        )
    gains = [f"{method} {main[method + SWA] - main[method]:+.1f}" for method in AVERAGED if method + SWA in main]
    if gains:
        sentences.append(f"Averaged weights add, in points on average: {', '.join(gains)}.")
    if set(VARIANTS) <= set(parts):
        steps = (f"{one} to {other} {parts[other] - parts[one]:+.1f}" for one, other in ORDER)
        sentences.append(f"From variant to variant of table 2, in points on average: {', '.join(steps)}.")
    return sentences


ORDER = (("A", "B"), ("B", "C"), ("C", "D"), ("D", "E"), ("E", FGMIX), ("F", FGMIX))
"""Pairs of variants of which the second has one part more, or gradients in place of codes."""


def _settings(setting: Setting) -> dict[str, Any]:
    return {
        "domains": {one.name: f"{one.train_samples} to train on, {one.test_samples} held out" for one in DOMAINS},
        "trained on": "the domains that are not left out, 80 % of each; batches hold every class of each equally often",
        "left out": "measured on the 20 % that are held out of it, as mnist_m and inverted have the digits of mnist5k",
        "images": "32 pixels, three channels",
        "network": "lenet, from random weights",
        "optimizer": f"Adam, rate {RATE}, constant, no weight decay, {PER_DOMAIN} images of each domain",
        "steps": setting.steps,
        "mixing begins": f"at step {setting.start}, for FGMix and its variants",
        "objectives": {method: dict(options) for method, options in METHODS.items()},
        "averaged weights": f"after each epoch from {SWA_START:.0%} of the training on",
        "seeds": "of the weights, the order and what is drawn",
    }


CHOICE: tuple[str, ...] = (
    "Nothing was tuned on the domain that is left out: FGMix has the defaults of its options, as the other objectives, "
    "and Mixup DomainBed's share, Beta(0.2, 0.2).",
    "The paper trains ResNet-50 from ImageNet's weights on photographs; LeNet from random weights is another regime, "
    "in which codes are still learned when mixing begins.",
    "It selects rate, dropout, weight decay, a, gamma and lambda on held-out images of the training domains. Here "
    "these are measured and shown, and every method has one setting.",
)
