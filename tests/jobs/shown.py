"""Drives the display of a kind of job through a run that is made up, on a screen that is given or on a terminal."""

import sys
import time
from types import SimpleNamespace

from passband.jobs.analysis import display as analysis
from passband.jobs.bench import progress as bench
from passband.jobs.common.screen import Picture, Screen
from passband.jobs.evaluation import display as evaluation
from passband.jobs.generation import display as generation
from passband.jobs.reproduce import display as reproduction
from passband.jobs.training import display as training

STEPS = 4
_FRAME_S = 0.3  # a picture is drawn four times a second


def show_generation(screen: Screen) -> None:
    job = SimpleNamespace(name="a-name-of-some-length")
    blueprint = SimpleNamespace(identity="0", shards=STEPS, samples=40, job=job, views=lambda: [None] * 3)
    ledger = SimpleNamespace(blueprint=blueprint, samples=0, bad=[], done={}, failed={}, retried=0, warnings=[])
    with generation.GenerationDisplay(screen) as display:
        display.started(ledger)
        for step in range(STEPS):
            time.sleep(_FRAME_S)
            ledger.done[step], ledger.samples = None, 10 * (step + 1)
            display.event(ledger, "shard 1: took a second try" if step == 1 else None)
        display.step("writing the card")
        time.sleep(_FRAME_S)


def show_training(screen: Screen) -> None:
    job = SimpleNamespace(batch_size=10, epochs=1, steps=None)
    run = SimpleNamespace(step=0, steps=1234, epochs=12, job=job)
    watch = SimpleNamespace(samples=100, spent=2.0, waited=0.1, seconds=2.0)
    with training.TrainingDisplay(screen) as display:
        for step in range(STEPS):
            run.step = step + 1
            display.step(run, 0, {"loss": 2.5}, watch)
            time.sleep(_FRAME_S)


def show_evaluation(screen: Screen) -> None:
    with evaluation.EvaluationDisplay(screen) as display:
        for step in range(STEPS):
            display.predicting("a-training-of-some-length on a-dataset-of-some-length: corrupted", step, STEPS)
            time.sleep(_FRAME_S)


def show_analysis(screen: Screen) -> None:
    envelope = SimpleNamespace(samples=10, what="sensitivity")
    ledger = SimpleNamespace(envelope=envelope, items=400, items_done=0, failed={}, retried=1)
    with analysis.AnalysisDisplay(screen) as display:
        for _ in range(STEPS):
            ledger.items_done += 10
            display.event(ledger, None)
            time.sleep(_FRAME_S)


def show_reproduction(screen: Screen) -> None:
    ledger = SimpleNamespace(
        graph=list(range(STEPS)), made={}, found=[], failed={}, seconds_left=lambda: 1320.0,
        running={"a-training-of-some-length": time.monotonic(), "another-one": time.monotonic() - 3900},
    )  # fmt: skip
    with reproduction.ReproductionDisplay(screen) as display:
        for step in range(STEPS):
            ledger.made[step] = None
            display.tick(ledger)
            time.sleep(_FRAME_S)


def show_bench(screen: Screen) -> None:
    with bench.BenchDisplay(screen) as display:
        display.step("a case of some length", STEPS)
        for _ in range(STEPS):
            display.advance("prime at 224 pixels, 256 images, on the CPU")
            time.sleep(_FRAME_S)


RUNS = {
    "generation": show_generation,
    "training": show_training,
    "evaluation": show_evaluation,
    "analysis": show_analysis,
    "reproduction": show_reproduction,
    "bench": show_bench,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print("display", name, flush=True)
        RUNS[name](Picture())
