"""The reproduction `digits`: its graph, its tables, its settings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import MapGrid, Measure, Reading, Recipe, Seen, TrainingSeconds
from passband.jobs.reproduce.recipes.digits.bench import Bench
from passband.jobs.reproduce.recipes.digits.methods import (
    ABLATION,
    ATTACK,
    AUGMIX,
    BASELINE_WEIGHT,
    BASELINES,
    FIGURE_6,
    JSD_WEIGHT,
    MAIN,
    METHODS,
    NO_JSD,
    NO_MIX,
    NO_SADA,
    ONE,
    ONLY_MIX,
    THREE,
    TWO,
    Method,
)
from passband.jobs.reproduce.recipes.digits.setting import BATCH, QUICK, QUICK_SEEDS, RATE, SEEDS, WHOLE, Setting
from passband.jobs.reproduce.recipes.digits.variations import EFFICIENT, WEIGHED, Variation, attacks, variations
from passband.jobs.reproduce.recipes.digits.words import (
    AVERAGE,
    CHOICE,
    ENHANCED_NORM,
    NORM_COLUMNS,
    SECONDS,
    STUDIES,
    observe,
)
from passband.jobs.reproduce.recipes.parts import Nodes
from passband.jobs.reproduce.rows import Row, Table

Conditions = Mapping[str, Sequence[Reading]]
PRINTED_COLUMNS = ("USPS", "MNIST-M", "SVHN", "SYNTH", "Avg")
PRINTED: Mapping[str, tuple[float, ...]] = {
    f"paper, {TWO}": (89.34, 75.74, 68.34, 72.10, 76.38),
    f"paper, {NO_SADA}": (69.62, 53.57, 47.16, 49.02, 60.27),
    f"paper, {NO_MIX}": (82.79, 69.43, 62.44, 63.18, 69.46),
    f"paper, {NO_JSD}": (81.68, 70.35, 64.32, 65.11, 70.37),
}
SYMBOLS = {STUDIES.weight: "\u03bb", STUDIES.steps: "T", STUDIES.step_size: "\u03b4", STUDIES.init: "\u03b5"}
HEADINGS = {"mnist5k": "test", "mnist_m": "mnistM", "synth_digits": "synth", "inverted": "invert"}


def digits(quick: bool, seeds: int | None, rounds: int = 1, fine_tune: bool = False) -> Recipe:
    """Return the reproduction of SADA on digits."""
    number = seeds or (QUICK_SEEDS if quick else SEEDS)
    return build(QUICK if quick else WHOLE, quick, number, rounds, fine_tune)


def build(setting: Setting, quick: bool, seeds: int, rounds: int, fine_tune: bool = False) -> Recipe:
    """Return the reproduction in another size."""
    nodes = Nodes()
    studies = [_Study(nodes, setting, seed, rounds, fine_tune) for seed in range(seeds)]
    measures = [measure for study in studies for measure in study.measures()]
    measures += [measure for study in studies for measure in study.variations()]
    measures += [measure for study in studies for measure in study.attacks()]
    return Recipe(
        name="digits",
        title="SADA on digits: accuracy on unseen domains",
        source="After Zhang et al., AAAI 2023, “When neural networks fail to generalize? A model sensitivity "
        "perspective”, tables 1 and 4, figures 4 to 7, on small real data",
        quick=quick,
        seeds=seeds,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(_tables(setting, rounds)),
        settings=_settings(setting, rounds, fine_tune),
        findings=(),
        observe=observe,
        maps=tuple(
            MapGrid(f"{name.capitalize()} sensitivity maps, seed 0", name, studies[0].maps)
            for name in ("enhanced", "original")
        ),
        published=tuple(_printed()),
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

    def variations(self) -> Iterator[Measure]:
        """Yield what is told of the methods with one thing changed."""
        rows: dict[tuple[str, str], Conditions] = {}
        for cell in variations(self._setting.shares, self._setting.sweeps):
            rows[cell.study, cell.row] = {**rows.get((cell.study, cell.row), {}), cell.condition: self._varied(cell)}
        for (study, row), conditions in rows.items():
            yield self._measure(study, row, conditions)

    def attacks(self) -> Iterator[Measure]:
        """Yield what is told of an attack in each step, beside stored views."""
        for cell in attacks():
            training = self._trained(cell)
            unseen = {domain: self._seen[training][domain] for domain in self._setting.unseen}
            told: Conditions = {**unseen, AVERAGE: self._average(training), SECONDS: [TrainingSeconds(training)]}
            yield self._measure(cell.study, cell.row, told)

    def _varied(self, cell: Variation) -> list[Seen]:
        return self._average(self._trained(cell))

    def _trained(self, cell: Variation) -> str:
        """Enter the training of a cell and its evaluation, once, and return its name."""
        training = self._rounds[cell.base][0]
        if cell.changed:
            training = self._bench.vary(cell, tuned=self._fine_tune and cell.base not in BASELINES)
        if training not in self._seen:
            self._seen[training] = self._bench.accuracies(training)
        return training

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
    printed = tuple((domain, domain) for domain in PRINTED_COLUMNS)
    yield Table("Table 4 as the paper prints it", {"study": STUDIES.printed}, printed)
    yield from _variation_tables(setting)
    yield _attack_table(setting)
    if rounds > 1:
        numbers = tuple((f"round {number}", f"round {number}") for number in range(1, rounds + 1))
        yield Table("Average of the unseen domains after each round", {"study": STUDIES.rounds}, numbers)


def _variation_tables(setting: Setting) -> Iterator[Table]:
    def columns(values: Iterable[float]) -> tuple[tuple[str, str], ...]:
        return tuple((f"{value:g}", f"{value:g}") for value in values)

    title = "Weight of JSD, method and number of views varied apart: average of the unseen domains"
    yield Table(title, {"study": STUDIES.weights}, columns((JSD_WEIGHT, BASELINE_WEIGHT)))
    yield Table(
        "Data efficiency (figure 5): average of the unseen domains",
        {"study": STUDIES.shares},
        columns(setting.shares),
        chart="share of the samples that are augmented",
        mean_last=False,
    )
    for study, values in setting.sweeps.items():
        symbol = SYMBOLS[study]
        title = f"{study.capitalize()} (figure 7, {symbol}): average of the unseen domains"
        yield Table(title, {"study": study}, columns(values), chart=symbol, mean_last=False)


def _attack_table(setting: Setting) -> Table:
    domains = tuple((name, HEADINGS.get(name, name)) for name in setting.unseen)
    title = f"Attack in training against stored views, {ONE}: unseen domains, and seconds of a training"
    return Table(title, {"study": STUDIES.attacks}, (*domains, (AVERAGE, "avg"), (SECONDS, "seconds")))


def _printed() -> Iterator[Row]:
    for method, numbers in PRINTED.items():
        for domain, number in zip(PRINTED_COLUMNS, numbers, strict=True):
            yield Row({"study": STUDIES.printed, "method": method}, domain, (number,))


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
        "table 4": "as printed; the average without SADA, 60.27, is not the mean of its row, which is 54.84",
        "weights": f"each of {', '.join(method.name for method in WEIGHED)} with either weight",
        "number of views": f"{ONLY_MIX.name} has as many as SADA's recipes, the two of {AUGMIX} and one more",
        "attack in training": f"the attacked view of {ONE} made in each step against the network that is trained, "
        "which allows no map; beside it the view stored, once without a map; the other views are the same, except that "
        "those beside the view without a map are another draw of AugMix; seconds are those of the training alone, as "
        "it says itself: a measurement, which is another each time",
        "figure 5": f"{', '.join(EFFICIENT)}; every method trains on all clean images for as many steps, and on the "
        "views of a share of them, the same for all methods; the others show the clean image in place of each view",
        "figure 7": f"{TWO} with one number changed; views that need it are made anew, against the same ERM "
        "network, with another draw of AugMix",
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
