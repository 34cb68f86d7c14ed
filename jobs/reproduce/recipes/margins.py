"""Margins of networks (Modas 2022): on synthetic points, tables 4.1 and A.1, figure 4.10; then on images."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import MarginOf, Measure, PointsSeen, Recipe
from passband.jobs.reproduce.recipes import diagonal
from passband.jobs.reproduce.recipes.parts import Nodes
from passband.jobs.reproduce.rows import MARGIN, Block, Row, Table

Entry = Mapping[str, Any]
Read = Callable[[Entry], float | None]

TABLES = {"table 4.1": "MLP", "table A.1": "logistic regression"}
FIGURE, ACCURACY = "figure 4.10", "accuracy"
DIRECTIONS = {"u1": "u1", "complement": "rest", "orthogonal": "S_orth", "random": "S_rand"}
MEDIAN, LOWEST, HIGHEST = "median", "lowest subspace", "highest subspace"
THESIS = "thesis, "
PUBLISHED: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "table 4.1": {
        "5 %": (1.74, 4.85, 30.68, 17.21),
        MEDIAN: (2.50, 12.36, 102.0, 27.90),
        "95 %": (3.22, 31.60, 229.5, 80.61),
    },
    "table A.1": {
        "5 %": (2.39, 36.7, 184.95, 11.57),
        MEDIAN: (2.49, 38.3, 192.98, 12.08),
        "95 %": (2.60, 39.9, 201.16, 12.59),
    },
}
EPSILONS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)
SWITCH = 0.5  # the epsilon from which the thesis's networks use u_1
SEPARABLE = {"kind": "separable", "epsilon": 5.0, "sigma": 1.0}
ALTERNATING = {"kind": "alternating", "rho": 20.0, "periods": 3, "sigma": 1.0}


@dataclass(frozen=True)
class Size:
    """How much is computed.

    Attributes
    ----------
    hidden : widths of the MLP's hidden layers
    separable_epochs, alternating_epochs : of a training on T1 and on T2
    mlp_s, linear_s : seconds of one core for an epoch
    """

    train_points: int
    test_points: int
    hidden: tuple[int, ...]
    separable_epochs: int
    alternating_epochs: int
    random_subspaces: int
    epsilons: tuple[float, ...]
    mlp_s: float
    linear_s: float


WHOLE = Size(10_000, 1_000, (500,) * 10, 500, 200, 10, EPSILONS, mlp_s=1.7, linear_s=0.02)
QUICK = Size(2_000, 200, (100,) * 4, 100, 100, 3, (0.0, 0.5, 2.0), mlp_s=0.03, linear_s=0.005)
RATE, DIMENSIONS, SUBSPACE = 0.1, 100, 3
PLAIN = {"batch": 256, "momentum": 0.0, "clip": None}
CLIPPED = {"batch": 128, "momentum": 0.9, "clip": 0.5}


def margins(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of the margins on synthetic points, whose numbers are published, and on images."""
    size, images, number, nodes = QUICK if quick else WHOLE, diagonal.size_of(quick), seeds or 1, Nodes()
    measures = [measure for seed in range(number) for measure in _one_seed(nodes, size, seed)]
    measures += [measure for seed in range(number) for measure in diagonal.measures(nodes, images, seed)]
    return Recipe(
        name="margins",
        title="Margins along directions that are known to discriminate, and along frequencies of images",
        source="After tables 4.1 and A.1 and figures 4.3 to 4.12 of “Robustness and invariance properties of image "
        "classifiers”, the latter on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=(*_tables(size), *diagonal.tables(images)),
        settings=_settings(size) | diagonal.settings(images),
        findings=(),
        observe=observe,
        published=tuple(_published()),
    )


def _one_seed(nodes: Nodes, size: Size, seed: int) -> Iterator[Measure]:
    made = dict(_nodes(nodes, size, seed))
    for study, network in TABLES.items():
        for method, read in STATISTICS.items():
            conditions = {d: [MarginOf(made[network], d, read)] for d in DIRECTIONS}
            yield Measure({"study": study, "method": method}, seed, conditions)
    for axis in AXES:
        conditions = {f"{e:g}": [MarginOf(made[f"{e:g}"], axis, STATISTICS[MEDIAN])] for e in size.epsilons}
        yield Measure({"study": FIGURE, "method": f"along {axis}"}, seed, conditions)
    seen = {name: [PointsSeen(node)] for name, node in made.items()}
    yield Measure({"study": ACCURACY, "method": "test points"}, seed, seen)


def _nodes(nodes: Nodes, size: Size, seed: int) -> Iterator[tuple[str, str]]:
    """Enter the networks of a seed; yield the network of a table, or the epsilon of the figure, and its node."""
    for network in TABLES.values():
        hidden = size.hidden if network == "MLP" else ()
        name = f"{network.replace(' ', '-')}-{seed}"
        yield network, _node(nodes, size, name, SEPARABLE, hidden, seed)
    for epsilon in size.epsilons:
        name, points = f"MLP-{epsilon:g}-{seed}", ALTERNATING | {"epsilon": epsilon}
        yield f"{epsilon:g}", _node(nodes, size, name, points, size.hidden, seed)


def _node(nodes: Nodes, size: Size, name: str, points: Entry, hidden: tuple[int, ...], seed: int) -> str:
    separable = points["kind"] == "separable"
    epochs = size.separable_epochs if separable else size.alternating_epochs
    setting = {
        "points": dict(points),
        "dimensions": DIMENSIONS,
        "train_points": size.train_points,
        "test_points": size.test_points,
        "hidden": list(hidden),
        "epochs": epochs,
        "rate": RATE,
        **(PLAIN if separable else CLIPPED),
        "directions": list(DIRECTIONS if separable else AXES),
        "random_subspaces": size.random_subspaces,
        "subspace_dimensions": SUBSPACE,
        "seed": seed,
    }
    return nodes.margins(name, setting, 2.0 + epochs * (size.mlp_s if hidden else size.linear_s))


AXES = ("u1", "u2")


def _quantile(place: int, entry: Entry, which: str = "quantiles") -> float | None:
    found: float | None = entry[which][place]
    return found


def _of_medians(choose: Callable[[Sequence[float]], float], entry: Entry) -> float | None:
    medians = [median for median in entry["medians"] if median is not None]
    return choose(medians) if medians else None


STATISTICS: Mapping[str, Read] = {
    "5 %": partial(_quantile, 0),
    MEDIAN: partial(_quantile, 1),
    "95 %": partial(_quantile, 2),
    LOWEST: partial(_of_medians, min),
    HIGHEST: partial(_of_medians, max),
    "unrefined": partial(_quantile, 1, which="unrefined"),
}
"""Of the margins of all test points in all subspaces of a kind; of the medians of single subspaces; the median of
DeepFool's own perturbations."""


def _published() -> Iterator[Row]:
    for study, statistics in PUBLISHED.items():
        for method, numbers in statistics.items():
            for direction, number in zip(DIRECTIONS, numbers, strict=True):
                yield Row({"study": study, "method": THESIS + method}, direction, (number,), MARGIN)


def _tables(size: Size) -> Iterator[Table]:
    for study, network in TABLES.items():
        title = f"{study[0].upper()}{study[1:]}: {network} on T1(\u03b5 = 5, \u03c3 = 1)"
        yield Table(title, {"study": study}, tuple(DIRECTIONS.items()))
    epsilons = tuple((f"{epsilon:g}", f"{epsilon:g}") for epsilon in size.epsilons)
    title = f"{FIGURE.capitalize()}: median margins of MLPs on T2(\u03c1 = 20, \u03b5, \u03c3 = 1, K = 3)"
    yield Table(title, {"study": FIGURE}, epsilons, chart="\u03b5", mean_last=False)
    columns = (*((network, network) for network in TABLES.values()), *((e, f"T2, {e}") for e, _ in epsilons))
    yield Table("Accuracy on test points, in percent", {"study": ACCURACY}, columns)


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return how the medians stand beside the thesis's, which features are used, and what images show."""
    by_study = {block.table.where["study"]: block for block in blocks}
    return [*_compared(by_study), *_figure(by_study[FIGURE]), *diagonal.observe(blocks)]


def _compared(blocks: Mapping[str, Block]) -> Iterator[str]:
    for study, network in TABLES.items():
        found = blocks[study].methods
        if MEDIAN in found:
            medians = zip(DIRECTIONS.values(), found[MEDIAN], PUBLISHED[study][MEDIAN], strict=True)
            words = (f"{name} {row.mean:.2f} ({theirs:g})" for name, row, theirs in medians if row)
            yield f"Median margins of the {network}, and in brackets those of the thesis: {', '.join(words)}."
            yield from _within(study, network, found)


def _within(study: str, network: str, found: Mapping[str, Sequence[Row | None]]) -> Iterator[str]:
    """Say whether the thesis's random subspaces could be among those of this run."""
    for place, name in list(enumerate(DIRECTIONS.values()))[-2:]:
        low, high, theirs = found[LOWEST][place], found[HIGHEST][place], PUBLISHED[study][MEDIAN][place]
        if low and high:
            where = "lies between" if low.mean <= theirs <= high.mean else "does not lie between"
            yield (
                f"{network}: the medians of single subspaces {name} are {low.mean:.1f} to {high.mean:.1f}, and the "
                f"thesis's {theirs:g} {where} them."
            )


def _figure(block: Block) -> Iterator[str]:
    if {f"along {axis}" for axis in AXES} > set(block.methods):
        return
    first, second = (block.methods[f"along {axis}"] for axis in AXES)
    pairs = zip(block.table.columns, first, second, strict=True)
    known = [(epsilon, a.mean, b.mean) for (epsilon, _), a, b in pairs if a and b]
    uses = [epsilon for epsilon, a, b in known if a < b]
    yield (
        f"The margin is smaller along u1 than along u2 for \u03b5 = {', '.join(uses)} of "
        f"{', '.join(epsilon for epsilon, _, _ in known)}; in the thesis the network switches to u1 at {SWITCH:g}."
        if uses
        else f"The margin is smaller along u2 for every \u03b5; in the thesis the network switches to u1 at {SWITCH:g}."
    )


def _settings(size: Size) -> dict[str, Any]:
    return {
        "points": f"{size.train_points} to train on, {size.test_points} others to measure, of {DIMENSIONS} dimensions",
        "MLP": f"hidden layers of {', '.join(map(str, size.hidden))}, ReLU, PyTorch's first weights",
        "trained on T1": f"{size.separable_epochs} epochs, batches of {PLAIN['batch']}, no momentum",
        "trained on T2": f"{size.alternating_epochs} epochs, batches of {CLIPPED['batch']}, momentum "
        f"{CLIPPED['momentum']}, gradients clipped to a norm of {CLIPPED['clip']}",
        "rate": f"linear from {RATE} to 0; no weight decay",
        "subspaces": f"{size.random_subspaces} random ones of dimension {SUBSPACE} of each kind; rest is all but u1",
        "margins": "DeepFool within the subspace, at most 100 steps, then halving up to the boundary; unrefined is the "
        "median without halving. A pair for which DeepFool found no other class is in no number",
        "seeds": "of the rotation, the points, the subspaces, the weights and the order",
        "how chosen": list(CHOICE),
    }


CHOICE: tuple[str, ...] = (
    "The thesis says 500 epochs of SGD for all of these networks, and names neither batches, nor momentum, nor first "
    "weights. With batches of 256, no momentum and two logits the logistic regression has the margins of table A.1.",
    "T2 is trained as the authors' code trains on images: momentum 0.9, a gradient's norm of at most 0.5, batches of "
    "128. Plain SGD does not learn it.",
    "The classes are \u03b5 apart along u1, at -\u03b5/2 and +\u03b5/2: printed is \u03b5 y, but the published medians "
    "along u1, of a linear classifier too, are \u03b5/2.",
)
