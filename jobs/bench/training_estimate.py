"""How long the comparison of trainings would take, by steps on a few images and a probe of the generation."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from passband.jobs.bench.device import BenchDevice
from passband.jobs.bench.loops import Loop, per_step
from passband.jobs.bench.training import TrainingPlan, network_spec
from passband.jobs.bench.trial import Progress
from passband.jobs.bench.ways import STORED, make_views
from passband.jobs.dataset.blueprint import draft
from passband.jobs.dataset.environment import current_environment
from passband.jobs.dataset.plan import make_plan
from passband.jobs.generation.probe import estimate
from passband.pipeline.loading import Batch

FEW = 8
"""Images of a tried step; what it takes is scaled up to the batch."""


@dataclass(frozen=True)
class TrainingEstimate:
    """A dry run's answer, start-up aside.

    Attributes
    ----------
    steps_s : way -> seconds of one step
    seconds : of everything
    """

    generation_s: float
    steps_s: dict[str, float]
    seconds: float


class FewImages:
    """In the place of a stream: an epoch of one batch of random images."""

    def __init__(self, count: int, views: tuple[str, ...], shape: tuple[int, int, int]) -> None:
        generator, numbers = torch.Generator().manual_seed(0), torch.arange(count)
        images = {
            view: torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8) for view in views
        }
        self.num_samples = count
        self._batch = Batch(images, torch.zeros_like(numbers), torch.zeros_like(numbers), numbers, numbers)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[Batch]:
        return iter([self._batch])

    def end_iteration(self) -> None:
        """Do nothing: nothing is read ahead."""


def estimate_training(plan: TrainingPlan, device: BenchDevice, progress: Progress) -> TrainingEstimate:
    """Try a step of every way, and some samples of the generation; write nothing."""
    progress.step("trying", 1 + len(plan.ways))
    with tempfile.TemporaryDirectory(prefix="passband-") as name:
        job = plan.job(Path(name) / "bench", device.backend)
        planned = make_plan(job)
        generation_s = estimate(draft(job, planned, current_environment(job)), planned, 1).seconds
    progress.advance("shards")
    steps_s = {}
    for way in plan.ways:
        steps_s[way] = _try_step(plan, device, way, len(planned.classes)) * plan.batch_size / FEW
        progress.advance(way)
    blocks = {way: min(plan.steps * spent, max(spent, plan.most_s)) for way, spent in steps_s.items()}
    seconds = sum(steps_s.values()) + plan.rounds * sum(blocks.values())
    return TrainingEstimate(generation_s, steps_s, generation_s + seconds)


def _try_step(plan: TrainingPlan, device: BenchDevice, way: str, num_classes: int) -> float:
    shape = (3, plan.size, plan.size)
    names = ("clean", *(f"view{number}" for number in range(1, plan.num_views + 1)))
    stream = FewImages(FEW, names if way == STORED else names[:1], shape)
    few = replace(plan, batch_size=FEW)
    spec = network_spec(few, shape, [str(number) for number in range(num_classes)])
    loop = Loop(stream, make_views(way, device, shape, plan.num_views), spec, device, plan.num_views)
    loop.run(1, plan.most_s)
    return per_step(loop.run(1, plan.most_s))
