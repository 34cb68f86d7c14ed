"""The reproduction `digits`: its graph, its tables, its settings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import MapGrid, Measure, Reading, Recipe, Seen
from passband.jobs.reproduce.recipes.digits.bench import Bench
from passband.jobs.reproduce.recipes.digits.methods import (
    ABLATION,
    ATTACK,
    BASELINE_WEIGHT,
    BASELINES,
    FIGURE_6,
    JSD_WEIGHT,
    MAIN,
    METHODS,
    THREE,
    TWO,
    Method,
)
from passband.jobs.reproduce.recipes.digits.setting import BATCH, QUICK, QUICK_SEEDS, RATE, SEEDS, WHOLE, Setting
from passband.jobs.reproduce.recipes.digits.words import (
    AVERAGE,
    CHOICE,
    ENHANCED_NORM,
    NORM_COLUMNS,
    STUDIES,
    observe,
)
from passband.jobs.reproduce.recipes.parts import Nodes
from passband.jobs.reproduce.rows import Table

Conditions = Mapping[str, Sequence[Reading]]
HEADINGS = {"mnist5k": "test", "mnist_m": "mnistM", "synth_digits": "synth", "inverted": "invert"}


def digits(quick: bool, seeds: int | None, rounds: int = 1, fine_tune: bool = False) -> Recipe:
    """Return the reproduction of SADA on digits."""
    number = seeds or (QUICK_SEEDS if quick else SEEDS)
    return build(QUICK if quick else WHOLE, quick, number, rounds, fine_tune)


def build(setting: Setting, quick: bool, seeds: int, rounds: int, fine_tune: bool = False) -> Recipe:
    """Return the reproduction in another size."""
    nodes, measures = Nodes(), list[Measure]()
    maps: Mapping[str, str] = {}
    for seed in range(seeds):
        study = _Study(nodes, setting, seed, rounds, fine_tune)
        measures += list(study.measures())
        maps = maps or study.maps
    return Recipe(
        name="digits",
        title="SADA on digits: accuracy on unseen domains",
        source="After Zhang et al., AAAI 2023, “When neural networks fail to generalize? A model sensitivity "
        "perspective”, tables 1 and 4, figures 4 and 6, on small real data",
        quick=quick,
        seeds=seeds,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(_tables(setting, rounds)),
        settings=_settings(setting, rounds, fine_tune),
        findings=(),
        observe=observe,
        maps=tuple(
            MapGrid(f"{name.capitalize()} sensitivity maps, seed 0", name, maps) for name in ("enhanced", "original")
        ),
    )


class _Study:
    """All methods with one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, seed: int, rounds: int, fine_tune: bool) -> None:
        self._bench, self._setting, self._seed = Bench(nodes, setting, seed), setting, seed
        self._fine_tune = fine_tune
        self._domains = (setting.images.name, *setting.unseen)
        self._rounds = {name: list(self._train(method, rounds)) for name, method in METHODS.items()}
        self.maps = {name: self._bench.map(trained[-1]) for name, trained in self._rounds.items()}
        self._seen = {
            training: self._bench.accuracies(training) for trained in self._rounds.values() for training in trained
        }

    def measures(self) -> Iterator[Measure]:
        """Yield what is told of every method, in every table that it stands in."""
        for study, names in ((STUDIES.main, MAIN), (STUDIES.ablation, ABLATION), (STUDIES.figure_6, FIGURE_6)):
            for shown, name in names.items():
                last = self._rounds[name][-1]
                conditions: Conditions = {**self._seen[last], AVERAGE: self._average(last)}
                yield self._measure(study, shown, conditions)
        for name, trained in self._rounds.items():
            norms: Conditions = {**self._bench.norms(trained[-1]), AVERAGE: self._average(trained[-1])}
            yield self._measure(STUDIES.norms, name, norms)
        for name, trained in self._rounds.items():
            if len(trained) > 1:
                by_round: Conditions = {f"round {number}": self._average(one) for number, one in enumerate(trained, 1)}
                yield self._measure(STUDIES.rounds, name, by_round)

    def _train(self, method: Method, rounds: int) -> Iterator[str]:
        newest = self._bench.train(method, tuned=self._fine_tune and method.name not in BASELINES)
        yield newest
        for number in range(2, rounds + 1 if method.attacks else 0):
            newest = self._bench.tune(method, newest, number)
            yield newest

    def _average(self, training: str) -> list[Seen]:
        return [one for domain in self._setting.unseen for one in self._seen[training][domain]]

    def _measure(self, study: str, method: str, conditions: Conditions) -> Measure:
        return Measure({"study": study, "method": method}, self._seed, conditions)


def _tables(setting: Setting, rounds: int) -> Iterator[Table]:
    domains = tuple((name, HEADINGS.get(name, name)) for name in (setting.images.name, *setting.unseen))
    columns = (*domains, (AVERAGE, "avg"))
    yield Table("Trained on mnist5k: its test split, and domains never seen", {"study": STUDIES.main}, columns)
    yield Table("Ablation (table 4)", {"study": STUDIES.ablation}, columns)
    yield Table(f"What the map is worth (figure 6), {THREE}", {"study": STUDIES.figure_6}, columns)
    yield Table(
        "Mean l1 norm of the maps, 0 to 1, and accuracy (figure 4)",
        {"study": STUDIES.norms},
        NORM_COLUMNS,
        scatter=(ENHANCED_NORM, AVERAGE),
    )
    if rounds > 1:
        numbers = tuple((f"round {number}", f"round {number}") for number in range(1, rounds + 1))
        yield Table("Average of the unseen domains after each round", {"study": STUDIES.rounds}, numbers)


def _settings(setting: Setting, rounds: int, fine_tune: bool) -> dict[str, Any]:
    return {
        "trained on": f"{setting.images.name}, {setting.images.size} pixels",
        "unseen domains": {name: f"split {split}" for name, (_, split) in setting.unseen.items()},
        "network": "lenet: the paper's network on digits is a small ConvNet; that of this project would take hours",
        "optimizer": f"Adam, rate {RATE}, cosine schedule, no weight decay, batches of {BATCH} samples",
        "epochs": setting.epochs,
        "steps": "the same number for every method; a step of JSD shows the network all views of a batch",
        "begun with": _begun_with(setting, fine_tune),
        "views": {name: list(method.views) for name, method in METHODS.items()},
        "jsd": f"weight {JSD_WEIGHT} for SADA's recipes and ablations, {BASELINE_WEIGHT:g} for AugMix and PRIME",
        "sada": {**ATTACK, "surrogate": "the ERM network of the same seed", "map": "of that network"},
        "ablation": f"of {TWO}, whose parts are left out and replaced by nothing; without JSD is cross-entropy on all "
        "its views",
        "figure 6": f"{THREE} with another map, or with the random start of its attack alone (random_only)",
        "maps": f"of {setting.subset} images of the training split, the same for all networks and stratified by class; "
        "scale 10 (enhanced), norm 8 (original); the standard error is of the enhanced l1 norm, by that choice",
        "rounds": _rounds(setting, rounds),
        "seeds": "of the weights, the order, the views and so of the surrogate",
        "how chosen": list(CHOICE),
    }


def _begun_with(setting: Setting, fine_tune: bool) -> str:
    if not fine_tune:
        return "random weights, every method"
    return (
        "SADA's recipes and ablations with the ERM network of their seed, trained on for "
        f"{setting.tuning_epochs} epochs (the text fine-tunes it); the other methods with random weights"
    )


def _rounds(setting: Setting, rounds: int) -> str:
    if rounds == 1:
        return "1: the views are made once, against ERM"
    return (
        f"{rounds}: round 1 is against ERM; each next one makes a method's views against its newest "
        f"network, by a map of that, and trains it on for {setting.tuning_epochs} epochs; AugMix and PRIME have one"
    )
