"""Training on mnist5k with PRIME views and the JSD objective: made in the loop, against streamed from shards."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from passband.jobs.bench.cost import break_even_epochs, cost_per_million
from passband.jobs.bench.device import BenchDevice
from passband.jobs.bench.loops import Batches, Loop, per_step, run_in_turn
from passband.jobs.bench.machine import device_facts, load_average, versions
from passband.jobs.bench.rows import spread
from passband.jobs.bench.timing import Clock, quartiles
from passband.jobs.bench.training_document import TrainingDocument, TrainingRow, TrainingSettings
from passband.jobs.bench.trial import Progress
from passband.jobs.bench.ways import STORED, WAYS, make_views
from passband.jobs.dataset.spec import GenerateJob, parse_job
from passband.jobs.generation.run import generate
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import NetworkSpec

ENCODINGS = ("png", "webp", "npy", "jpeg")
SOURCE = {"kind": "mnist5k", "split": "train"}


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained, and for how long.

    Attributes
    ----------
    num_views : PRIME views of each sample, beside the clean one
    most_s : longest that a way trains in one round
    """

    network: str = "lenet"
    size: int = 32
    batch_size: int = 128
    num_views: int = 3
    encoding: str = "png"
    rounds: int = 5
    steps: int = 16
    most_s: float = 20.0
    ways: tuple[str, ...] = tuple(WAYS)
    price_per_hour: float | None = None
    source: dict[str, Any] = field(default_factory=lambda: dict(SOURCE))

    def job(self, folder: Path, backend: str) -> GenerateJob:
        """Return the job that makes the shards."""
        return parse_job(
            {
                "kind": "generate",
                "name": "bench",
                "source": self.source,
                "image": {"size": self.size},
                "views": ["clean", {"prime": {"preset": "cifar"}, "copies": self.num_views}],
                "output": {"uri": str(folder), "encoding": self.encoding},
                "compute": {"executor": "inline", "backend": backend},
            }
        )


def measure_training(
    plan: TrainingPlan,
    device: BenchDevice,
    progress: Progress,
    stopped: Callable[[], bool] = lambda: False,
    checkpoint: Callable[[], None] = lambda: None,
    clock: Clock = time.perf_counter,
) -> TrainingDocument:
    """Generate the shards, train in each way in turn, and compare.

    Parameters
    ----------
    checkpoint : called while the shards are made; what it raises ends that
    """
    load = load_average()
    with tempfile.TemporaryDirectory(prefix="passband-") as name, ExitStack() as stack:
        progress.step("making shards", 1)
        begun = clock()
        generate(plan.job(Path(name), device.backend), checkpoint=checkpoint)
        generation_s = clock() - begun
        progress.advance("shards")
        loops = {way: _open_loop(plan, device, Path(name), way, stack) for way in plan.ways}
        progress.step("training", plan.rounds * len(loops))
        run_in_turn(loops, plan.rounds, plan.steps, plan.most_s, progress.advance, stopped)
        first = next(iter(loops.values())).stream
        return TrainingDocument(
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            complete=not stopped(),
            device=device_facts(device, load),
            versions=versions() | device.environment(),
            settings=_settings(plan, first),
            generation_s=generation_s,
            rows=[make_training_row(plan, way, loops, generation_s, len(first)) for way in loops],
        )


def _open_loop(plan: TrainingPlan, device: BenchDevice, path: Path, way: str, stack: ExitStack) -> Loop:
    views = None if way == STORED else ["clean"]
    stream = stack.enter_context(open_stream(path, views=views, batch_size=plan.batch_size, rank=0, world_size=1))
    channels, height, width = stream.manifest.shape
    shape = (channels, height, width)
    spec = network_spec(plan, shape, stream.manifest.classes)
    return Loop(stream, make_views(way, device, shape, plan.num_views), spec, device, plan.num_views)


def network_spec(plan: TrainingPlan, shape: tuple[int, int, int], classes: Sequence[str]) -> NetworkSpec:
    """Return the network that is trained."""
    return NetworkSpec.model_validate(
        {
            "kind": plan.network,
            "stem": "cifar" if plan.network == "resnet18" else None,
            "shape": list(shape),
            "classes": list(classes),
            "mean": [0.5] * shape[0],
            "std": [0.25] * shape[0],
        }
    )


def _settings(plan: TrainingPlan, stream: Batches) -> TrainingSettings:
    return TrainingSettings(
        source=str(plan.source["kind"]),
        samples=stream.num_samples,
        size=plan.size,
        encoding=plan.encoding,
        network=plan.network,
        objective="jsd",
        preset="cifar",
        views=plan.num_views,
        batch_size=plan.batch_size,
        steps_per_epoch=len(stream),
        rounds=plan.rounds,
        steps=plan.steps,
        price_per_hour=plan.price_per_hour,
    )


def make_training_row(
    plan: TrainingPlan, way: str, loops: dict[str, Loop], generation_s: float, steps_per_epoch: int
) -> TrainingRow:
    """Return what a way came to; the ratio pairs the blocks of one round."""
    blocks, stored = loops[way].blocks, loops[STORED].blocks if STORED in loops else []
    row = TrainingRow(way=way, what=WAYS[way], steps=sum(map(len, blocks)))
    if not blocks:
        return row
    steps = [step for block in blocks for step in block]
    times = [step.seconds for step in steps]
    whole, median = sum(times), quartiles(times)[1]
    rate = plan.batch_size / median
    found: dict[str, Any] = {
        "step_s": spread(times),
        "samples_per_s": rate,
        "waiting_share": sum(step.waiting for step in steps) / whole,
        "augmenting_share": sum(step.augmenting for step in steps) / whole,
    }
    if plan.price_per_hour is not None:
        found["cost_per_million_samples"] = cost_per_million(rate, plan.price_per_hour)
    if stored and way != STORED:
        pairs = zip(blocks, stored, strict=False)  # one that was stopped has a block less
        ratio = spread([per_step(block) / per_step(other) for block, other in pairs])
        reference = quartiles([step.seconds for block in stored for step in block])[1]
        found["over_stored"] = ratio
        # From the paired ratio, so that a machine that was slower for a while does not change the sign.
        found["break_even_epochs"] = break_even_epochs(
            generation_s, steps_per_epoch, reference * ratio.median, reference
        )
    return row.model_copy(update=found)
