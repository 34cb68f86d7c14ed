"""The trainings of one training set and seed, and what is measured of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from passband.jobs.reproduce.recipe import (
    GradientNormAt,
    ImagesSeen,
    MeanScore,
    Measure,
    Reading,
    ScoresWithin,
    Seen,
    SharpnessAt,
)
from passband.jobs.reproduce.recipes.parts import Nodes, corrupted, grid, grid_view
from passband.jobs.reproduce.recipes.sharpdro.setting import (
    AGNOSTIC,
    BINS,
    CLIP,
    DECAY,
    EDGES,
    FIGURE_3,
    FIGURE_LEVELS,
    LEVELS,
    MOMENTUM,
    RHO,
    SHARPDRO,
    TABLE_1,
    TABLE_2,
    TABLE_3,
    Scope,
    Setting,
    Size,
)
from passband.jobs.reproduce.recipes.sharpdro.words import AVERAGE, MEAN, STUDIES, condition
from passband.jobs.reproduce.watched import epoch_name

_TEST = "test"
_PASSES = {"sam": 2.0, "sharpdro": 2.0, "jtt": 1.3, "eiil": 1.3}
"""Over every sample in an epoch, the first models of two-stage objectives shared out among the epochs."""
_QUANTITIES = {"gradient_norm": f"gradient_norm/{_TEST}", "sharpness": f"sharpness/{_TEST}"}


class Bench:
    """Trains and measures networks on one image source under one corruption with one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, corruption: str, seed: int, size: Size, scope: Scope) -> None:
        self._nodes, self._setting, self._seed, self._size = nodes, setting, seed, size
        self._is_studied = (setting.images.name, corruption) == scope.studied_set
        self._copies = size.copies_of(setting)
        self._images, self._corruption = setting.images, corruption
        self._name = f"{setting.images.name}-{corruption}"
        self._views = {level: grid_view(corruption, level) for level in LEVELS}
        base = [corrupted(corruption, {"poisson": 1.0}, setting.table)]
        made = self._images.job("train", [], base, seed, self._copies) | {"group": "severity"}
        self._train = nodes.dataset(f"{self._name}-train{seed}-x{self._copies}", made, 2.0)
        self._test = nodes.dataset(f"{self._name}-test", self._images.job("test", grid(corruption, setting.table)), 2.0)

    def measures(self) -> Iterator[Measure]:
        """Yield what is told of this training set with this seed."""
        for study, methods in ((STUDIES.aware, TABLE_1), (STUDIES.agnostic, TABLE_2)):
            for method in methods:
                yield self._accuracies(study, method)
        if self._is_studied:
            for method in TABLE_3:
                yield self._accuracies(STUDIES.ablation, method)
            for method in FIGURE_3:
                yield from self._landscapes(method)
            yield from self._sensitivity()
            yield from self._scores()

    def _accuracies(self, study: str, method: str) -> Measure:
        seen = self._seen(method, self._size.objective(method))
        told = {condition(level): [Seen(*where)] for level, where in seen.items()}
        return self._measure(study, method, told | {AVERAGE: [one for found in told.values() for one in found]})

    def _landscapes(self, method: str) -> Iterator[Measure]:
        """Yield sharpness and gradient norm along training, and at its end (figures 3 and 4)."""
        training = self._training(method, self._size.objective(method))
        points = self._size.points(self._setting)
        watched = self._nodes.watched(training, [*self._views.values()], points, _QUANTITIES)
        for study, reading in ((STUDIES.sharpness, SharpnessAt), (STUDIES.gradient, GradientNormAt)):
            for level in FIGURE_LEVELS:
                along = {
                    epoch_name(point): [reading(watched, self._views[level], epoch_name(point))] for point in points
                }
                yield self._measure(f"{study} {level}", method, along)
            last = epoch_name(points[-1])
            yield self._measure(
                study, method, {condition(level): [reading(watched, self._views[level], last)] for level in LEVELS}
            )

    def _sensitivity(self) -> Iterator[Measure]:
        """Yield the accuracy by rho, a line for each severity (figure 5)."""
        objective = self._size.objective(SHARPDRO)
        by_rho = {
            rho: self._seen(SHARPDRO if rho == RHO else f"{SHARPDRO} rho {rho:g}",
                            objective if rho == RHO else {**objective, "rho": rho})
            for rho in self._size.rhos
        }  # fmt: skip
        for level in LEVELS:
            told = {f"{rho:g}": [ImagesSeen(*seen[level])] for rho, seen in by_rho.items()}
            yield self._measure(STUDIES.rho, condition(level), told)

    def _scores(self) -> Iterator[Measure]:
        """Yield the histogram of the weights of each severity's training images (figure 6)."""
        training = self._training(AGNOSTIC, self._size.objective(AGNOSTIC))
        how, seconds = self._setting.training, self._images.training_seconds(1, 2 * self._copies)
        measured = self._nodes.scores(training, self._train, RHO, how.batch, EDGES, seconds)
        for level in LEVELS:
            told: dict[str, list[Reading]] = {
                name: [ScoresWithin(measured, level, number)] for number, name in enumerate(BINS)
            }
            yield self._measure(STUDIES.scores, condition(level), told | {MEAN: [MeanScore(measured, level)]})

    def _seen(self, method: str, objective: Mapping[str, Any]) -> dict[int, tuple[str, str, str]]:
        """Enter an evaluation, once, and return evaluation, dataset and view by severity."""
        training = self._training(method, objective)
        views = tuple(self._views.values())
        seconds = self._images.evaluation_seconds(1, len(views))
        measured = f"{training}-test"
        if measured not in self._nodes:
            self._nodes.evaluation(training, {self._test: views}, seconds)
        return {level: (measured, self._test, view) for level, view in self._views.items()}

    def _training(self, method: str, objective: Mapping[str, Any]) -> str:
        """Enter a training, once, and return its name."""
        name = f"{self._name}-{method.replace(' ', '-')}-{self._seed}"
        if name in self._nodes:
            return name
        epochs, how = self._size.epochs(self._setting), self._setting.training
        job = {
            "seed": self._seed,
            "network": how.network,
            "objective": objective,
            "epochs": epochs,
            "batch_size": how.batch,
            "optimizer": {"kind": "sgd", "lr": how.rate, "momentum": MOMENTUM, "weight_decay": DECAY},
            "schedule": how.schedule,
            "clip_norm": CLIP,
            **({"data": how.data} if how.data else {}),
        }
        passes = (
            2.0 if objective["kind"] in ("sam", "sharpdro") else 1.3 if objective["kind"] in ("jtt", "eiil") else 1.0
        )
        seconds = self._images.training_seconds(epochs, passes * self._copies)
        if self._is_studied and method in FIGURE_3:
            views = [*self._views.values()]
            landscape = {"views": views, "every_epochs": self._size.steps_between(self._setting), "sharpness": RHO}
            job["evaluate"] = {_TEST: {"path": f"@{self._test}", **landscape}}
            seconds += 6 * len(self._size.points(self._setting)) * self._images.evaluation_seconds(1, len(views))
        return self._nodes.training(name, job, self._train, seconds)

    def _measure(self, study: str, method: str, conditions: Mapping[str, Sequence[Reading]]) -> Measure:
        where = {"study": study, "dataset": self._images.name, "corruption": self._corruption}
        return Measure({**where, "method": method}, self._seed, conditions)


def over_all(measures: Sequence[Measure], study: str, method: str, seed: int) -> Measure:
    """Return the mean over datasets and corruptions of what one seed says of a method."""
    mine = [m for m in measures if (m.fields["study"], m.fields["method"], m.seed) == (study, method, seed)]
    conditions = {name: [one for m in mine for one in m.conditions[name]] for name in mine[0].conditions}
    return Measure({"study": study, "dataset": "all", "corruption": "all", "method": method}, seed, conditions)
