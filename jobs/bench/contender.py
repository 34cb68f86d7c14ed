"""From a case to something that can be timed: images of its size, the stage, and a run over other samples each time."""

import itertools
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from passband.jobs.bench.cases import Case, is_attack
from passband.jobs.bench.device import BenchDevice
from passband.jobs.bench.timing import Run
from passband.pipeline.augment import AUGMENTATIONS, Draws, Stage

Pixels = Literal["float32", "uint8"]
CLASSES = [str(number) for number in range(10)]
SURROGATE: Literal["lenet"] = "lenet"
"""Of attacks, where no checkpoint is given."""
_CERTAINTY = 30.0
_MOST_AT_ONCE = 64
_COARSE = 8


def make_images(count: int, size: int) -> NDArray[np.float32]:
    """Return random images of 8 x 8 even squares; pixels are multiples of 1/255, as decoded ones are."""
    coarse = np.random.default_rng(0).integers(0, 256, (count, 3, _COARSE, _COARSE))
    cells = np.arange(size) * _COARSE // size
    return (coarse[:, :, cells[:, None], cells] / 255).astype(np.float32)


@cache
def certain_surrogate(size: int) -> bytes:
    """Return the checkpoint of an untrained network that takes every image for class 0.

    No attack changes its mind, so that every sample of that label takes all the steps: the most that SADA costs.
    """
    import torch

    from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes

    spec = NetworkSpec(kind=SURROGATE, shape=[3, size, size], classes=CLASSES, mean=[0.5] * 3, std=[0.25] * 3)
    network = build_network(spec, seed=0)
    with torch.no_grad():
        list(network.parameters())[-1][0] = _CERTAINTY  # the bias of the last layer
    return network_bytes(network)


def make_stage(case: Case, device: BenchDevice, checkpoint: Path | None = None) -> Stage:
    """Return the stage of a case on a device; raise PassbandError or ValueError where it cannot work on that size."""
    stage_class, options, classes = AUGMENTATIONS[case.stage], dict(case.options), CLASSES
    inputs: Mapping[str, bytes] = {}
    if is_attack(case.stage):
        inputs, options["surrogate"], classes = _surrogate(case, checkpoint)
    resolved, shape = stage_class.Options.model_validate(options), (3, case.size, case.size)
    stage_class.check(resolved, shape)
    return stage_class(resolved, shape=shape, kernels=device.kernels, inputs=inputs, classes=classes)


def _surrogate(case: Case, checkpoint: Path | None) -> tuple[Mapping[str, bytes], dict[str, Any], list[str]]:
    if checkpoint is None:
        kind, content, classes = str(SURROGATE), certain_surrogate(case.size), CLASSES
    else:
        from passband.pipeline.networks.checkpoint import checkpoint_file
        from passband.pipeline.networks.network import load_network

        spec = load_network(checkpoint, shape=[3, case.size, case.size]).spec
        kind, content, classes = spec.kind, checkpoint_file(checkpoint).read_bytes(), spec.classes
    chunk = min(case.batch, _MOST_AT_ONCE)
    return {"surrogate": content}, {"network": kind, "checkpoint": "model.pt", "batch": chunk}, classes


class Workbench:
    """A device with the images that lie on it; cases of one size and batch are given the same ones.

    Parameters
    ----------
    pixels : "float32" or "uint8"
        float32: a stage alone, from and to images of the device's memory. uint8: what a shard takes, from stored
        pixels to pixels that are stored; the conversions are timed too.
    checkpoint : of the network that attacks meet; None: `certain_surrogate`
    """

    def __init__(self, device: BenchDevice, pixels: Pixels = "float32", checkpoint: Path | None = None) -> None:
        self.device, self.pixels, self.checkpoint = device, pixels, checkpoint
        self._images: dict[tuple[int, int], Any] = {}

    def images(self, count: int, size: int) -> Any:
        """Return images as runs are given them."""
        if (count, size) not in self._images:
            images = self.device.put(make_images(count, size))
            self._images[count, size] = images if self.pixels == "float32" else self.device.kernels.to_uint8(images)
        return self._images[count, size]


def repeated(stage: Stage, given: Any, pixels: Pixels = "float32") -> Run:
    """Return a function that makes one view of each of the images `given`, of the next samples at each call."""
    labels, numbers, kernels = np.zeros(len(given), np.int64), itertools.count(), stage.kernels

    def run() -> Any:
        indices = (np.arange(len(given)) + next(numbers) * len(given)).astype(np.uint32)
        draws = Draws(0, indices, 1).at(position=1)
        if pixels == "float32":
            return stage.apply(given, labels, draws).images
        return kernels.to_uint8(stage.apply(kernels.to_float(given), labels, draws).images)

    return run


def make_run(case: Case, bench: Workbench) -> Run:
    """Return a function that makes a view of every image of a case, and waits for them."""
    stage = make_stage(case, bench.device, bench.checkpoint)
    run = repeated(stage, bench.images(case.batch, case.size), bench.pixels)

    def waited() -> Any:
        images = run()
        bench.device.synchronize()
        return images

    return waited
