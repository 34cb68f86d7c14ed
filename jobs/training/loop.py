"""The loop: epochs of steps, and what is done between them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from passband.jobs.training.batches import TrainBatch, to_device
from passband.jobs.training.collective import gathered, mean_over_ranks
from passband.jobs.training.setup import Training
from passband.jobs.training.update import NonFiniteError
from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import Batch

_NAMED_KEYS = 16


class TrainingError(PassbandError):
    """A training that cannot go on; the message says at which step, and on which samples."""

    def __init__(self, message: str, keys: list[str]) -> None:
        super().__init__(message)
        self.keys = keys


@dataclass
class Watch:
    """What a training has spent, over all its calls.

    Attributes
    ----------
    waited : seconds in which the loop waited for data
    samples : of this call, in all processes
    """

    seconds_before: float = 0.0
    waited: float = 0.0
    samples: int = 0
    begun: float = field(default_factory=time.perf_counter)

    @property
    def spent(self) -> float:
        """Seconds of this call."""
        return time.perf_counter() - self.begun

    @property
    def seconds(self) -> float:
        """Seconds of all calls."""
        return self.seconds_before + self.spent


def run_epoch(training: Training, epoch: int, watch: Watch, after_step: Callable[[Mapping[str, Any]], None]) -> None:
    """Run one epoch from where the stream stands, to its end or that of the training.

    `after_step` is called with the metrics of each step.
    """
    batches = iter(training.stream)
    while training.step < training.steps:
        asked = time.perf_counter()
        batch = next(batches, None)
        watch.waited += time.perf_counter() - asked
        if batch is None:
            return
        for group in training.optimizer.param_groups:
            group["lr"] = training.rate(training.step)
        metrics = _step(training, device_batch(training, batch, epoch), epoch)
        training.step += 1
        watch.samples += training.job.batch_size
        after_step(metrics)


def device_batch(training: Training, batch: Batch, epoch: int) -> TrainBatch:
    """Return a batch as the objective gets it: cropped, flipped, scaled, on the device."""
    images = training.crop_flip(batch, epoch)
    moved = Batch(images, batch.labels, batch.groups, batch.indices, batch.positions)
    return training.augmented(to_device(moved, training.device, channels_last=training.job.compute.channels_last))


def _step(training: Training, batch: TrainBatch, epoch: int) -> Mapping[str, Any]:
    try:
        return training.objective.step(training.model, training.optimizer, batch)
    except NonFiniteError as error:
        # The loss is that of the global batch, so it is not finite in any process, and each comes here.
        keys = training.stream.keys(gathered(torch.tensor(error.indices, device=training.device)).cpu())
        shown = ", ".join(keys[:_NAMED_KEYS]) + (f" and {len(keys) - _NAMED_KEYS} more" if keys[_NAMED_KEYS:] else "")
        where = f"epoch {epoch + 1}, step {training.step}"
        raise TrainingError(f"{where}: {error}; nothing was stepped; samples: {shown}", keys) from error


def end_epoch(training: Training, epoch: int) -> None:
    """Do what follows the last step of an epoch: merge batch-norm statistics, and average the weights."""
    mean_over_ranks(training.network.buffers())
    swa = training.job.swa
    if training.average is not None and swa is not None and epoch >= int(swa.start * training.epochs):
        training.average.update_parameters(training.network)


def final_network(training: Training) -> nn.Module:
    """Return the network that the training leaves: the last one, or with SWA the averaged one."""
    if training.average is None:
        return training.network
    averaged: nn.Module = training.average.module
    _renew_statistics(training, averaged)
    return averaged


def _renew_statistics(training: Training, network: nn.Module) -> None:
    """Take the batch-norm statistics of averaged weights anew, over one pass of the training set's first view."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    network.train()
    training.stream.set_epoch(0)
    with torch.no_grad():
        for batch in training.stream:
            network(device_batch(training, batch, 0).first)
    mean_over_ranks(network.buffers())


def plain_numbers(metrics: Mapping[str, float | Tensor]) -> dict[str, float]:
    """Return metrics as numbers; this waits for the device."""
    return {name: float(value) for name, value in metrics.items()}
