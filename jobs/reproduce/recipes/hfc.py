"""What low and high frequencies tell of training and of attacks (Wang et al. 2020, sections 4 to 6)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.recipe import Measure, Recipe, Seen
from passband.jobs.reproduce.recipes.parts import CLEAN, Images, Nodes
from passband.jobs.reproduce.rows import Block, Table
from passband.jobs.reproduce.watched import epoch_name

RADII = (4, 8, 12, 16)
LOW, HIGH = ([f"{band}-{radius}" for radius in RADII] for band in ("low", "high"))
RHO = (0, 0.1, 0.2, 0.5, 1.0)
BATCH, RATE = 100, 1e-3
TRUE, SHUFFLED = "true", "shuffled"
AVERAGE = "average"
CURVES, HEURISTICS, BANDS, KERNELS = "curves", "heuristics", "bands", "kernels"
VANILLA, ADVERSARIAL = "vanilla", "adversarial"
NORMED = {"kind": "lenet", "batch_norm": True}
_STEPS = 5


@dataclass(frozen=True)
class Setting:
    """How an image source is trained on and attacked.

    Attributes
    ----------
    radii : of the attacks, in 255ths; adversarial training takes the second
    epochs, shuffled_epochs : of the labels as they are, and of shuffled ones, three times as many, as in the paper
    """

    images: Images
    radii: tuple[int, int, int]
    epochs: int
    shuffled_epochs: int

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.images.name


SETTINGS = (
    Setting(
        Images("mnist5k", {"kind": "mnist5k"}, 28, train_samples=4000, test_samples=1000, sample_s=150e-6),
        radii=(13, 26, 51),
        epochs=20,
        shuffled_epochs=60,
    ),
    Setting(
        Images("photos", {"kind": "photos", "crop": 32}, 32, train_samples=3172, test_samples=786, sample_s=200e-6),
        radii=(2, 4, 8),
        epochs=20,
        shuffled_epochs=60,
    ),
)
QUICK_EPOCHS, QUICK_SHUFFLED_EPOCHS = 4, 8
QUICK_SEEDS, SEEDS = 1, 3
_POINTS, _QUICK_POINTS = 10, 4
"""Epochs after which the curves have a value."""


def hfc(quick: bool, seeds: int | None) -> Recipe:
    """Return the reproduction of HFC's studies of frequencies, heuristics and smoothed kernels."""
    number = seeds or (QUICK_SEEDS if quick else SEEDS)
    nodes, measures = Nodes(), list[Measure]()
    for seed in range(number):
        for setting in SETTINGS:
            measures += _Bench(nodes, setting, seed, quick).measures()
    return Recipe(
        name="hfc",
        title="HFC: what is learned of low and of high frequencies",
        source="After Wang et al., CVPR 2020, “High-frequency component helps explain the generalization of "
        "convolutional neural networks”, sections 4 to 6, on small real data",
        quick=quick,
        seeds=number,
        graph=Graph(nodes.all()),
        measures=tuple(measures),
        tables=tuple(_tables(quick)),
        settings=_settings(quick),
        findings=(),
        observe=observe,
    )


def heuristics(setting: Setting) -> Mapping[str, Mapping[str, Any]]:
    """Return what each variant changes of the vanilla training (section 5.1)."""
    return {
        VANILLA: {},
        "batches of 25": {"batch_size": 25},
        "batches of 400": {"batch_size": 400},
        "dropout": {"network": {"kind": "lenet", "dropout": 0.5}},
        "batch norm": {"network": NORMED},
        "mixup": {"objective": {"kind": "mixup", "alpha": 0.5}},
        ADVERSARIAL: {"objective": {"kind": "adversarial", "radius": setting.radii[1] / 255, "steps": _STEPS}},
    }


def curve_epochs(quick: bool, labels: str, setting: Setting) -> tuple[int, ...]:
    """Return the epochs after which the curves have a value."""
    last, points = _epochs(quick, labels, setting), _QUICK_POINTS if quick else _POINTS
    return tuple(range(last // points, last + 1, last // points))


def _epochs(quick: bool, labels: str, setting: Setting) -> int:
    if labels == TRUE:
        return QUICK_EPOCHS if quick else setting.epochs
    return QUICK_SHUFFLED_EPOCHS if quick else setting.shuffled_epochs


def attacks_of(setting: Setting) -> dict[str, dict[str, Any]]:
    """Return the attacks of table 2, by name."""
    fgsm = {f"fgsm-{radius}": {"kind": "fgsm", "radius": radius / 255} for radius in setting.radii}
    return fgsm | {f"pgd-{radius}": {"kind": "pgd", "radius": radius / 255} for radius in setting.radii}


class _Bench:
    """Trains and measures networks on one image source with one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, seed: int, quick: bool) -> None:
        self._nodes, self._setting, self._seed, self._quick = nodes, setting, seed, quick
        self._images = setting.images
        views = [{"radial": {"high": radius}, "name": name} for radius, name in zip(RADII, LOW, strict=True)]
        views += [{"radial": {"low": radius}, "name": name} for radius, name in zip(RADII, HIGH, strict=True)]
        self._train, self._test = (
            nodes.dataset(f"{setting.name}-{split}", self._images.job(split, views), 5.0) for split in ("train", "test")
        )

    def measures(self) -> Iterator[Measure]:
        """Yield what is told of this source with this seed."""
        for labels in (TRUE, SHUFFLED):
            yield from self._curves(labels)
        for method, changes in heuristics(self._setting).items():
            training = self._training(method, changes)
            seen = self._seen(training, {self._train: (CLEAN, *LOW, *HIGH), self._test: (CLEAN,)})
            yield self._measure(HEURISTICS, method, {"train": seen[self._train, CLEAN], "test": seen[self._test, CLEAN]}
                                | {view: seen[self._train, view] for view in (*LOW, *HIGH)})  # fmt: skip
        for view in (*LOW, *HIGH):
            yield self._band(view, view, {})
        for view in LOW:
            yield self._band(f"{view}, batch norm", view, {"network": NORMED})
        for method in (VANILLA, ADVERSARIAL):
            yield from self._kernels(method)

    def _band(self, method: str, view: str, changes: Mapping[str, Any]) -> Measure:
        """Return what is told of a training on one band of its images (table 1, figure 6)."""
        training = self._training(method.replace(",", ""), {"data": {"views": [view]}, **changes})
        seen = self._seen(training, {self._train: (view,), self._test: (CLEAN, view)})
        told = {"train": seen[self._train, view], "test": seen[self._test, CLEAN], "own": seen[self._test, view]}
        return self._measure(BANDS, method, told)

    def _curves(self, labels: str) -> Iterator[Measure]:
        epochs = curve_epochs(self._quick, labels, self._setting)
        watched, views = self._watched(labels, epochs), (CLEAN, *LOW)
        for view in views:
            by_epoch = {epoch_name(epoch): [Seen(watched, view, epoch_name(epoch))] for epoch in epochs}
            every = {AVERAGE: [one for seen in by_epoch.values() for one in seen]}
            yield self._measure(f"{CURVES} {labels}", view, by_epoch | every)

    def _watched(self, labels: str, epochs: Sequence[int]) -> str:
        if labels == TRUE:
            return self._nodes.watched(self._training(VANILLA, {}), (CLEAN, *LOW), epochs)
        changes = {
            "data": {"views": [CLEAN], "shuffle_labels": self._seed},
            "epochs": epochs[-1],
            "watch": {"views": [CLEAN, *LOW], "every_epochs": epochs[0]},
        }
        return self._nodes.watched(self._training(SHUFFLED, changes), (CLEAN, *LOW), epochs)

    def _kernels(self, method: str) -> Iterator[Measure]:
        attacks = attacks_of(self._setting)
        training = self._training(method, heuristics(self._setting)[method])
        seconds = self._images.test_samples * self._images.sample_s * len(RHO) * 40
        measured = self._nodes.attack(training, self._test, attacks, RHO, seconds)
        for rho in RHO:
            told = {name: [Seen(measured, f"{rho:g}", name)] for name in (CLEAN, *attacks)}
            yield self._measure(KERNELS, f"{method}, rho {rho:g}", told)

    def _training(self, method: str, changes: Mapping[str, Any]) -> str:
        """Enter a training, once, and return its name."""
        name = f"{self._setting.name}-{method.replace(' ', '-')}-{self._seed}"
        if name not in self._nodes:
            epochs = curve_epochs(self._quick, TRUE, self._setting)
            job = {
                "seed": self._seed,
                "network": {"kind": "lenet"},
                "objective": {"kind": "erm"},
                "data": {"views": [CLEAN]},
                "epochs": epochs[-1],
                "batch_size": BATCH,
                "optimizer": {"kind": "adam", "lr": RATE, "weight_decay": 0.0},
                "schedule": {"kind": "constant"},
                **({"watch": {"views": [CLEAN, *LOW], "every_epochs": epochs[0]}} if method == VANILLA else {}),
                **changes,
            }
            passes = _STEPS + 2 if method == ADVERSARIAL else 1
            self._nodes.training(name, job, self._train, self._images.training_seconds(job["epochs"], passes))
        return name

    def _seen(self, training: str, views: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, str], list[Seen]]:
        """Enter an evaluation, and return its accuracies by dataset and view."""
        seconds = self._images.evaluation_seconds(len(views), 4 * sum(map(len, views.values())))
        measured = self._nodes.evaluation(training, views, seconds)
        return {(name, view): [Seen(measured, name, view)] for name, names in views.items() for view in names}

    def _measure(self, study: str, method: str, conditions: Mapping[str, Sequence[Seen]]) -> Measure:
        return Measure({"study": study, "dataset": self._setting.name, "method": method}, self._seed, conditions)


def _tables(quick: bool) -> Iterator[Table]:
    for setting in SETTINGS:
        name = setting.name
        for labels in (TRUE, SHUFFLED):
            epochs = ((epoch_name(epoch), str(epoch)) for epoch in curve_epochs(quick, labels, setting))
            title = f"{name}: training images and their low frequencies along training, {labels} labels (figure 3)"
            yield Table(title, _where(f"{CURVES} {labels}", name), (*epochs, (AVERAGE, "avg")), "epoch")
        columns = (("train", "train"), ("test", "test"), *((view, view) for view in (*LOW, *HIGH)))
        yield Table(f"{name}: heuristics, on bands of the training images (5.1)", _where(HEURISTICS, name), columns)
        bands = (("train", "train"), ("test", "original"), ("own", "own test"))
        yield Table(f"{name}: trained on a band alone (table 1, figure 6)", _where(BANDS, name), bands)
        attacked = ((CLEAN, CLEAN), *((attack, attack) for attack in attacks_of(setting)))
        yield Table(f"{name}: smoothed kernels under attack (table 2)", _where(KERNELS, name), attacked)


def _where(study: str, dataset: str) -> dict[str, str]:
    return {"study": study, "dataset": dataset}


def observe(blocks: Sequence[Block]) -> list[str]:
    """Return what the figures say of memorized labels, of bands, and of smoothing."""
    found = []
    for block in blocks:
        study, name = block.table.where["study"], block.table.where["dataset"]
        mean = {method: [None if row is None else row.mean for row in rows] for method, rows in block.methods.items()}
        whole, low = mean.get(CLEAN, [None]), mean.get(LOW[1], [None])
        if study.startswith(CURVES) and len(whole) > 1 and None not in (whole[0], whole[-2], low[0], low[-2]):
            labels = study.removeprefix(CURVES).strip()
            found.append(
                f"{name}, {labels} labels: {whole[0]:.1f} of the training images are right at the first point and "
                f"{whole[-2]:.1f} at the last, {low[0]:.1f} and {low[-2]:.1f} of their frequencies below {RADII[1]}."
            )
        pair = mean.get(f"{VANILLA}, rho 0"), mean.get(f"{VANILLA}, rho {RHO[-1]:g}")
        if study == KERNELS and all(row is not None and None not in row for row in pair):
            before, after = pair
            gains = ", ".join(
                f"{heading} {b:.1f} to {a:.1f}"
                for (_, heading), b, a in zip(block.table.columns, before or [], after or [], strict=True)
            )
            found.append(f"{name}: smoothing by rho {RHO[-1]:g} takes the natural network from {gains}.")
    return found


def _settings(quick: bool) -> dict[str, Any]:
    return {
        "network": "lenet",
        "optimizer": f"Adam, rate {RATE}, constant, no weight decay, batches of {BATCH}",
        "mixup": "alpha 0.5",
        "adversarial training": f"PGD, linf, {_STEPS} steps of half a radius, from anywhere in the ball",
        "attacks": "FGSM, and PGD of 10 steps of a quarter of the radius; radii in 255ths",
        "seeds": "of the weights, the order and the shuffled labels",
        "images": {
            setting.name: {
                "size": setting.images.size,
                "radii of attacks": list(setting.radii),
                "epochs": {labels: _epochs(quick, labels, setting) for labels in (TRUE, SHUFFLED)},
            }
            for setting in SETTINGS
        },
    }
