"""The rate of every step, as a function of its number alone: nothing of it needs to be in a checkpoint."""

import math
from bisect import bisect_right
from collections.abc import Callable

from passband.jobs.training.spec import OptimizerSection, ScheduleSection

_FIRST, _LAST, _RISE = 1 / 25, 1e-4 / 25, 0.3  # Smith & Topin 2018, with torch's defaults


def make_schedule(
    section: ScheduleSection, optimizer: OptimizerSection, steps: int, steps_per_epoch: int
) -> Callable[[int], float]:
    """Return the rate of step 0 .. `steps` - 1.

    ``cosine`` falls from lr to 0 along half a cosine; ``step`` multiplies by `factor` at each milestone;
    ``one_cycle`` rises from lr / 25 to lr over 30 % of the steps and falls to lr / 250,000, both along cosines.
    """
    shape = _SHAPES[section.kind]
    warmup = section.warmup_epochs * steps_per_epoch if section.kind != "one_cycle" else 0.0

    def rate(step: int) -> float:
        if step < warmup:
            return optimizer.lr * (step + 1) / (warmup + 1)
        return optimizer.lr * shape(section, (step - warmup) / max(1.0, steps - warmup))

    return rate


def _constant(section: ScheduleSection, part: float) -> float:
    return 1.0


def _cosine(section: ScheduleSection, part: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * part))


def _step(section: ScheduleSection, part: float) -> float:
    return section.factor ** bisect_right(sorted(section.milestones), part)


def _one_cycle(section: ScheduleSection, part: float) -> float:
    if part < _RISE:
        return _FIRST + (1 - _FIRST) * 0.5 * (1 - math.cos(math.pi * part / _RISE))
    return _LAST + (1 - _LAST) * 0.5 * (1 + math.cos(math.pi * (part - _RISE) / (1 - _RISE)))


_SHAPES = {"constant": _constant, "cosine": _cosine, "step": _step, "one_cycle": _one_cycle}
