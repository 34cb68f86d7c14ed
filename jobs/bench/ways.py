"""The ways in which a training gets its views: stored, or made in the loop by our kernels or by plain torch."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from passband.jobs.bench.device import BenchDevice
from passband.jobs.bench.torch_prime import TorchPrime
from passband.jobs.training.batches import TrainBatch
from passband.pipeline.augment import AUGMENTATIONS, Draws
from passband.pipeline.augment.prime_options import PrimeOptions

STORED, KERNELS, TORCH = "stored", "kernels", "torch"
WAYS = {
    STORED: "streamed from shards",
    KERNELS: "made in the loop by Passband's kernels",
    TORCH: "made in the loop by plain torch, as the released code",
}
MakeViews = Callable[[TrainBatch], Mapping[str, Tensor]]
"""From a batch as it was streamed to all views of it, the clean one first."""


def make_views(way: str, device: BenchDevice, shape: tuple[int, int, int], num_views: int) -> MakeViews:
    """Return how a way comes from what it streams to all views.

    Parameters
    ----------
    shape : (C, H, W) of the images
    num_views : PRIME views of each sample, beside the clean one
    """
    options = PrimeOptions.model_validate({"preset": "cifar"})
    if way == STORED:
        return lambda batch: batch.images
    if way == KERNELS:
        return _with_kernels(device, options, shape, num_views)
    generator = torch.Generator(device.kernels.torch_device()).manual_seed(0)
    prime = TorchPrime(options, generator)

    def made(batch: TrainBatch) -> Mapping[str, Tensor]:
        with torch.no_grad():
            return {"clean": batch.first, **{f"view{n}": prime(batch.first) for n in range(1, num_views + 1)}}

    return made


def _with_kernels(device: BenchDevice, options: PrimeOptions, shape: tuple[int, int, int], num_views: int) -> MakeViews:
    kernels: Any = device.kernels
    stage, batches = AUGMENTATIONS["prime"](options, shape=shape, kernels=kernels), iter(range(2**20))

    def made(batch: TrainBatch) -> Mapping[str, Tensor]:
        clean, number = kernels.from_torch(batch.first), next(batches)  # every batch draws views of its own
        indices, labels = batch.indices.cpu().numpy().astype("uint32"), batch.labels.cpu().numpy()
        views = {"clean": batch.first}
        for view in range(1, num_views + 1):
            result = stage.apply(clean, labels, Draws(number, indices, view).at(position=1))
            views[f"view{view}"] = kernels.to_torch(result.images)
        return views

    return made
