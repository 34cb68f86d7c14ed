"""Try every case before anything is timed: what compiles, what fails, which batch it gets."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from passband.jobs.bench.cases import Case
from passband.jobs.bench.contender import Pixels, Workbench, make_run
from passband.jobs.bench.timing import Clock, Run

WARMUP = 1
"""Runs of the whole batch before the first round."""
TRIED_IMAGES = 16
LONGEST_RUN_S = 2.0
"""A run that would take longer gets a smaller batch, of `TRIED_IMAGES` at least."""


@dataclass(frozen=True)
class Plan:
    """How the cases are measured.

    Attributes
    ----------
    shrink : whether a case whose run would take long gets a smaller batch
    """

    cases: Sequence[Case]
    rounds: int
    pixels: Pixels = "float32"
    price_per_hour: float | None = None
    checkpoint: Path | None = None
    copy_bytes: int | None = None
    shrink: bool = True


class Progress(Protocol):
    """What a person sees meanwhile."""

    def step(self, name: str, total: int) -> None:
        """A part of the work begins, of so many runs."""

    def advance(self, name: str) -> None:
        """A run is done."""


@dataclass(frozen=True)
class Trial:
    """What came of trying a case on few images: the seconds that an image takes, or why it failed."""

    case: Case
    seconds_per_image: float = 0.0
    error: str | None = None

    def seconds(self, rounds: int) -> float:
        """Return about how long the case will take."""
        return self.seconds_per_image * self.case.batch * (rounds + WARMUP)


def try_out(plan: Plan, bench: Workbench, case: Case, clock: Clock = time.perf_counter) -> Trial:
    """Run a case twice on few images; the first run compiles."""
    few = replace(case, batch=min(case.batch, TRIED_IMAGES))
    run, error = _guarded(few, bench)
    if run is None:
        return Trial(case, error=error)
    begun = clock()
    run()
    each = (clock() - begun) / few.batch
    return Trial(shrunk(case, each) if plan.shrink else case, each)


def _guarded(case: Case, bench: Workbench) -> tuple[Run | None, str | None]:
    """Return a case's run after one call, or why there is none; the one place where a failure becomes a result."""
    try:
        run = make_run(case, bench)
        run()
    except Exception as error:  # whatever one stage cannot do on a device, the others are measured
        return None, " ".join(f"{type(error).__name__}: {error}".split())
    return run, None


def shrunk(case: Case, seconds_per_image: float) -> Case:
    """Return the case with a batch, halved until a run is short enough."""
    batch = case.batch
    while batch > TRIED_IMAGES and batch * seconds_per_image > LONGEST_RUN_S:
        batch = max(TRIED_IMAGES, batch // 2)
    return replace(case, batch=batch)


def warm_up(
    plan: Plan, bench: Workbench, progress: Progress, stopped: Callable[[], bool]
) -> tuple[list[Trial], dict[str, Run]]:
    """Try every case, choose its batch, and run it once; return the runs of those that can."""
    trials: list[Trial] = []
    runs: dict[str, Run] = {}
    progress.step("warming up", len(plan.cases))
    for case in plan.cases:
        if stopped():
            break
        trial = try_out(plan, bench, case)
        if trial.error is None:
            run, error = _guarded(trial.case, bench)
            trial = replace(trial, error=error)
            if run is not None:
                runs[trial.case.key] = run
        trials.append(trial)
        progress.advance(case.key)
    return trials, runs


def estimate(plan: Plan, bench: Workbench, progress: Progress) -> tuple[list[Trial], float]:
    """Try every case on few images; return what came of it, and about how many seconds `measure` would take."""
    trials = []
    progress.step("trying", len(plan.cases))
    for case in plan.cases:
        trials.append(try_out(plan, bench, case))
        progress.advance(case.key)
    return trials, sum(trial.seconds(plan.rounds) for trial in trials)
