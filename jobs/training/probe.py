"""A few real steps of a training in memory, and what they took."""

import resource
import sys
import time
from dataclasses import dataclass

import torch

from passband.jobs.training.batches import to_device
from passband.jobs.training.loop import device_batch
from passband.jobs.training.objectives import OBJECTIVES
from passband.jobs.training.predict import evaluating
from passband.jobs.training.setup import Training
from passband.pipeline.loading import open_stream

_PROBE_S = 3.0
_MOST_STEPS = 200


@dataclass(frozen=True)
class Probe:
    """What a few real steps took.

    Attributes
    ----------
    steps : measured, after one that warms up
    step_s : seconds of one, waiting for data and all
    image_s : seconds of measuring the accuracy on one image; 0 where the job measures none
    memory_bytes : most that the process took; on a GPU what torch took there
    """

    steps: int
    step_s: float
    image_s: float
    memory_bytes: int


def probe(training: Training, *, in_two_stages: bool) -> Probe:
    """Take real steps for a few seconds, and throw the training away.

    Parameters
    ----------
    in_two_stages : whether the objective needs a first model; then its steps are taken as those of ERM
    """
    if training.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(training.device)
    if in_two_stages:
        erm = OBJECTIVES["erm"]
        training.objective = erm(erm.Options(), training.objective.setting)
    training.objective.prepare(training.network, training.stream)
    _step_for(training, 0.0, 1)
    begun = time.perf_counter()
    steps = _step_for(training, _PROBE_S, _MOST_STEPS)
    step_s = (time.perf_counter() - begun) / steps
    return Probe(steps, step_s, _time_evaluation(training), _peak_bytes(training.device))


def _step_for(training: Training, seconds: float, most: int) -> int:
    """Take steps for so long, at least one; return how many."""
    begun, steps = time.perf_counter(), 0
    while True:
        training.stream.set_epoch(0)
        for batch in training.stream:
            for group in training.optimizer.param_groups:
                group["lr"] = training.rate(0)
            training.objective.step(training.model, training.optimizer, device_batch(training, batch, 0))
            steps += 1
            _wait(training.device)
            if steps >= most or time.perf_counter() - begun >= seconds:
                training.stream.end_iteration()
                return steps


def _time_evaluation(training: Training) -> float:
    """Return the seconds that measuring the accuracy on one image takes."""
    entry = next(iter(training.job.measured().values()), None)
    if entry is None:
        return 0.0
    seen, begun = 0, time.perf_counter()
    stream = open_stream(
        str(entry.path),
        views=entry.views,
        batch_size=training.job.batch_size,
        rank=0,
        world_size=1,
        shuffle=False,
        drop_last=False,
        workers=training.job.compute.workers,
    )
    with stream, evaluating(training.network), torch.inference_mode():
        for batch in stream:
            for images in to_device(batch, training.device).images.values():
                training.network(images)
                seen += len(images)
            _wait(training.device)
            if time.perf_counter() - begun >= _PROBE_S:
                break
    return (time.perf_counter() - begun) / max(1, seen)


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
