"""The trainings of FGMix's reproduction with one seed, and what is measured of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from passband.jobs.reproduce.recipe import ImagesSeen, Measure, Reading, Seen
from passband.jobs.reproduce.recipes.fgmix.readings import (
    EndAccuracy,
    EndLoss,
    EndPlace,
    FlatnessAt,
    ShareLogged,
    StepRatio,
    StepTime,
)
from passband.jobs.reproduce.recipes.fgmix.setting import (
    AVERAGE,
    AVERAGED,
    BATCH,
    DOMAINS,
    ERM,
    EXTRAPOLATING,
    FGMIX,
    FLAT,
    HELD_OUT,
    LAMBDA,
    LOGGED_EVERY,
    LOGGED_LINES,
    METHODS,
    MIXED_S,
    RATE,
    RATIO_NAME,
    SCALE,
    SURFACE_DOMAIN,
    SWA,
    SWA_START,
    TABLES,
    TIMED,
    Setting,
)
from passband.jobs.reproduce.recipes.parts import CLEAN, Images, Nodes
from passband.jobs.reproduce.surface import ACCURACY, BOTH, ORIGINALS

_LOOK_S = 60e-6
"""Seconds of one core for a forward pass of an image through LeNet."""
_ALL = "all"


class Bench:
    """Trains with each domain left out in turn, with one seed."""

    def __init__(self, nodes: Nodes, setting: Setting, seed: int) -> None:
        self._nodes, self._setting, self._seed = nodes, setting, seed
        self._tests = {one.name: nodes.dataset(f"{one.name}-test", one.job("test", []), 1.0) for one in setting.domains}
        self._trains = {
            one.name: nodes.dataset(f"without-{one.name}", _joined([d for d in setting.domains if d != one]), 5.0)
            for one in setting.domains
        }

    def measures(self) -> Iterator[Measure]:
        """Yield what is told of every seed."""
        names = [*METHODS, *(method + SWA for method in AVERAGED)]
        seen = {name: self._leave_each_out(name) for name in names}
        for study, methods in TABLES.items():
            for what in (CLEAN, HELD_OUT):
                for method in methods:
                    yield self._measure({"study": study, "images": what, "method": method}, seen[method][what])
        yield from self._flatness()
        yield from self._extrapolation()

    def single_measures(self) -> Iterator[Measure]:
        """Yield what is told of one seed alone: figure 6, table C.3, and the time of a step."""
        yield from self._surface()
        yield from self._sensitivity()
        yield from self._times()

    def surface(self) -> str:
        """Return the name of the node of figure 6."""
        return f"{SURFACE_DOMAIN}-surface"

    def _leave_each_out(self, name: str) -> dict[str, dict[str, list[Seen]]]:
        """Train with each domain left out; return what is seen of it, and of what the others held out, by it."""
        found: dict[str, dict[str, list[Seen]]] = {CLEAN: {}, HELD_OUT: {}}
        for left in self._setting.domains:
            measured = self._evaluation(left.name, name)
            found[CLEAN][left.name] = [Seen(measured, self._tests[left.name], CLEAN)]
            others = [one.name for one in self._setting.domains if one != left]
            found[HELD_OUT][left.name] = [Seen(measured, self._tests[one], CLEAN) for one in others]
        return found

    def _evaluation(self, left: str, name: str) -> str:
        """Enter an evaluation of a method, with SWA behind its name of averaged weights, and return its name."""
        method = name.removesuffix(SWA)
        training = self._training(left, method)
        step = self._setting.steps if method in AVERAGED and name == method else None
        seconds = 0.1 + sum(one.evaluation_seconds(1, 1) for one in self._setting.domains)
        return self._nodes.evaluation(training, dict.fromkeys(self._tests.values(), (CLEAN,)), seconds, step=step)

    def _training(self, left: str, method: str, **options: Any) -> str:
        """Enter a training, once, and return its name; `options` replace some of the objective's."""
        changed = "".join(f"-{key}-{value:g}" for key, value in options.items())
        name = f"{left}-{method}{changed}-{self._seed}"
        if name in self._nodes:
            return name
        setting, objective = self._setting, {**METHODS[method], **options}
        mixes = objective["kind"] == "fgmix"
        averages = method in AVERAGED and not options
        kept = [] if options else self._kept_steps(left, method)
        job = {
            "seed": self._seed,
            "data": {"balance": "group_class"},
            "network": {"kind": "lenet"},
            "objective": {**objective, **({"start_step": setting.start} if mixes else {})},
            "steps": setting.steps,
            "batch_size": BATCH,
            "optimizer": {"kind": "adam", "lr": RATE, "weight_decay": 0.0},
            "schedule": {"kind": "constant"},
            **({"swa": {"start": SWA_START}} if averages else {}),
            "output": {"keep_steps": kept, **({"log_every_steps": LOGGED_EVERY} if mixes else {})},
        }
        mixing = MIXED_S[objective.get("variant", "fgmix")] * (setting.steps - setting.start) if mixes else 0.0
        seconds = 1.0 + setting.steps * BATCH * DOMAINS[0].sample_s + mixing
        return self._nodes.training(name, job, self._trains[left], seconds)

    def _kept_steps(self, left: str, method: str) -> list[int]:
        """Return the steps that a training keeps: those of a path, and the last, which averaging does not move."""
        if (left, self._seed) == (SURFACE_DOMAIN, 0) and method in (ERM, FGMIX):
            return [*self._setting.path_steps]
        return [self._setting.steps] if method in (*AVERAGED, *FLAT) else []

    def _flatness(self) -> Iterator[Measure]:
        """Yield the squared rise of the loss by distance, for each domain left out and on average (figure 5)."""
        setting = self._setting
        looks = setting.directions * len(setting.radii) * setting.images
        for method in FLAT:
            found = {
                left.name: self._nodes.flatness(
                    self._training(left.name, method),
                    self._trains[left.name],
                    {
                        "step": setting.steps,
                        "mixed": method != ERM,
                        "images": setting.images,
                        "directions": setting.directions,
                        "radii": setting.radii,
                    },
                    0.2 + looks * _LOOK_S,
                )
                for left in setting.domains
            }
            for domain, nodes in {**{left: [node] for left, node in found.items()}, _ALL: [*found.values()]}.items():
                told = {
                    f"{radius:g}": [FlatnessAt(node, number) for node in nodes]
                    for number, radius in enumerate(setting.radii)
                }
                yield self._plain({"study": "flatness", "domain": domain, "method": method}, told)

    def _extrapolation(self) -> Iterator[Measure]:
        """Yield the share of mixtures that extrapolate at the end of training."""
        for method in EXTRAPOLATING:
            told = {
                left.name: [
                    ShareLogged(self._nodes.logged(self._training(left.name, method), "extrapolating", LOGGED_LINES))
                ]
                for left in self._setting.domains
            }
            yield self._measure({"study": "extrapolation", "method": method}, told)

    def _surface(self) -> Iterator[Measure]:
        """Yield where the four paths of figure 6 end."""
        setting, left = self._setting, SURFACE_DOMAIN
        test = next(one for one in setting.domains if one.name == left)
        trainings = (ERM, self._training(left, ERM)), (FGMIX, self._training(left, FGMIX))
        seconds = 3.0 + setting.points**2 * (setting.images + test.test_samples) * _LOOK_S
        size = {"steps": setting.path_steps, "images": setting.images, "points": setting.points}
        node = self._nodes.surface(self.surface(), trainings, self._trains[left], self._tests[left], size, seconds)
        for path in (ERM, FGMIX, ERM + SWA, FGMIX + SWA):
            told: dict[str, Sequence[Reading]] = {
                "x": [EndPlace(node, path, 0)],
                "y": [EndPlace(node, path, 1)],
                ORIGINALS: [EndLoss(node, path, ORIGINALS)],
                BOTH: [EndLoss(node, path, BOTH)],
                ACCURACY: [EndAccuracy(node, path)],
            }
            yield self._plain({"study": "paths", "method": path}, told)

    def _sensitivity(self) -> Iterator[Measure]:
        """Yield the accuracy on domains left out by lambda, a line for each first a (table C.3)."""
        setting = self._setting
        for scale in setting.scales:
            told = {f"{weight:g}": [self._left_out(left, weight, scale) for left in setting.sensitive]
                    for weight in setting.lambdas}  # fmt: skip
            yield self._plain({"study": "C.3", "method": f"a = {scale:g}"}, told)

    def _left_out(self, left: str, weight: float, scale: float) -> Seen:
        if (weight, scale) == (LAMBDA, SCALE):
            return ImagesSeen(self._evaluation(left, FGMIX), self._tests[left], CLEAN)
        training = self._training(left, FGMIX, adversarial_weight=weight, scale=scale)
        measured = self._nodes.evaluation(training, {self._tests[left]: (CLEAN,)}, 0.2)
        return ImagesSeen(measured, self._tests[left], CLEAN)

    def _times(self) -> Iterator[Measure]:
        """Yield the time of a step of ERM and of FGMix, a line for each network."""
        objectives = {ERM: METHODS[ERM], FGMIX: {**METHODS[FGMIX], "start_step": 0}}
        for network, (per_domain, steps) in TIMED.items():
            size = {"domains": len(DOMAINS) - 1, "per_domain": per_domain, "blocks": self._setting.blocks}
            setting = {**size, "steps": steps, "objectives": objectives}
            node = self._nodes.step_time(network, setting, 0.5 + 2 * (self._setting.blocks + 1) * _BLOCK_S[network])
            told: dict[str, Sequence[Reading]] = {
                ERM: [StepTime(node, ERM)],
                FGMIX: [StepTime(node, FGMIX)],
                RATIO_NAME: [StepRatio(node, FGMIX, ERM)],
            }
            yield self._plain({"study": "time", "method": network}, told)

    def _measure(self, fields: Mapping[str, str], by_domain: Mapping[str, Sequence[Reading]]) -> Measure:
        """Return what is told of each domain, and of their mean."""
        return self._plain(fields, {**by_domain, AVERAGE: [one for seen in by_domain.values() for one in seen]})

    def _plain(self, fields: Mapping[str, str], conditions: Mapping[str, Sequence[Reading]]) -> Measure:
        return Measure(fields, self._seed, conditions)


_BLOCK_S = {"lenet": 0.2, "resnet18": 0.95}
"""Seconds of one core for a block of steps."""


def _joined(domains: Sequence[Images]) -> dict[str, Any]:
    """Return the job of the training images of some domains, which are groups."""
    first = domains[0].job("train", [])
    sources = [{**one.source, "split": "train", "domain": one.name} for one in domains]
    return first | {"source": sources, "group": "domain"}
