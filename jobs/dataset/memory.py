"""How much memory a worker takes: how many samples come at once, and what they need at most, by shapes alone.

Three batches are on their way at a time: one is read ahead, one is in the kernels, one is encoded and written. Where a
single sample is more than `compute.batch_bytes` allows, one sample is on its way, and each step waits for the last.
"""

import ctypes
import math
import sys
from dataclasses import dataclass

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.dataset.spec import GenerateJob, Recipe
from passband.jobs.executors.choice import EXECUTORS
from passband.jobs.executors.kind import Choice
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.augment.base import Shape

_PROCESS_BYTES = 350_000_000
"""Python, the kernels and the libraries of a worker; the pages that the driver draws at the end fit in too."""
_TORCH_BYTES = 350_000_000
_DECODER, _ENCODER = 3.0, 4.0
"""What decoding or encoding an image takes beside its pixels, as a multiple of them."""
_KEPT_BATCHES = 4
"""Source images that a run in one process keeps, as a multiple of `batch_bytes`: CIFAR-10, but not ImageNet."""
_DEVICE_BATCHES = 16
"""On a device as many times the bytes: its batches must keep thousands of threads busy."""
_M_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 4 << 20
LARGEST_GAINED = 2**21
"""Values of a batch that is made larger than was asked for: 682 images of 32 x 32, 13 of 224 x 224."""


@dataclass(frozen=True)
class Footprint:
    """Memory of the batches of one worker.

    Attributes
    ----------
    samples : int
        That come at once.
    overlaps : bool
        Whether a batch is read and another encoded while the kernels work on one.
    in_flight_bytes : int
        Pixels of so many samples that are read ahead, in the kernels as float32, made, and encoded.
    peak_bytes : int
        What a worker takes at most, source files aside.
    """

    samples: int
    overlaps: bool
    in_flight_bytes: int
    peak_bytes: int


def footprint(blueprint: Blueprint, threads: int, largest_source: int = 0, kept: int = 0) -> Footprint:
    """Return the memory that the batches of a job take.

    Parameters
    ----------
    threads : of the worker
    largest_source : pixels of the largest image of the source, where that is known
    kept : bytes of source images that are kept from the plan on; none where images are large
    """
    compute, image = blueprint.job.compute, math.prod(blueprint.shape)
    stored = sum(image * (2 if view.dtype == "float16" else 1) for view in blueprint.views())
    sample_bytes = 9 * image + 2 * stored  # read ahead, in and out of a stage, as views before and in the encoder
    allowed = compute.batch_bytes * (1 if blueprint.environment["backend"] == "cpu" else _DEVICE_BATCHES)
    samples = max(1, min(compute.batch_size, allowed // sample_bytes))
    overlaps = sample_bytes <= allowed
    if overlaps and _gains_by_size(blueprint):
        samples = max(samples, min(LARGEST_GAINED // image, allowed // sample_bytes))
    kernels = samples * (image + stored) + 4 * image * _float_images(blueprint, samples, threads)
    reading = samples * image + _DECODER * max(image, 3 * largest_source)
    encoders = min(samples, threads) if overlaps else 1
    encoding = 2 * samples * stored + _ENCODER * image * encoders
    peak = kept + kernels + reading + encoding if overlaps else max(kernels, reading, encoding)
    in_flight = samples * (sample_bytes if overlaps else 9 * image + stored)
    return Footprint(samples, overlaps, in_flight, round(_libraries(blueprint) + peak))


def _gains_by_size(blueprint: Blueprint) -> bool:
    """Tell whether a stage costs less in larger batches."""
    return any(AUGMENTATIONS[name].whole_shards for _, recipe in blueprint.job.recipes() for name, _ in recipe)


def _float_images(blueprint: Blueprint, samples: int, threads: int) -> float:
    """Return how many images of float32 are held at most while one chain of stages works on a batch."""
    return max(_chain(recipe, blueprint.shape, samples, threads) for _, recipe in blueprint.job.recipes())


def _chain(recipe: Recipe, shape: Shape, samples: int, threads: int) -> float:
    spaces = [AUGMENTATIONS[name].workspace(options, shape) for name, options in recipe]
    before = samples * (1 + (len(recipe) > 1))  # the clean images, and what the last stage made of them
    busy = min(samples, threads)
    return before + max((space.sample * samples + space.thread * busy for space in spaces), default=0.0)


def _libraries(blueprint: Blueprint) -> int:
    return _PROCESS_BYTES + (_TORCH_BYTES if _uses_torch(blueprint) else 0)


def _uses_torch(blueprint: Blueprint) -> bool:
    """Tell whether a stage asks a frozen model."""
    recipes = (recipe for _, recipe in blueprint.job.recipes())
    return any("torch" in AUGMENTATIONS[name].libraries() for recipe in recipes for name, _ in recipe)


def kept_bytes(job: GenerateJob, choice: Choice) -> int:
    """Return how many bytes of source images a run keeps from its plan on, so that they are read once."""
    return _KEPT_BATCHES * job.compute.batch_bytes if EXECUTORS[choice.executor].in_process else 0


def give_back_free_memory() -> None:
    """Give the system what glibc keeps of freed blocks, up to 200 MB a thread, and have it keep no large ones."""
    if sys.platform != "linux":
        return
    glibc = ctypes.CDLL(None)
    if hasattr(glibc, "mallopt") and hasattr(glibc, "malloc_trim"):
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)  # else it keeps any of up to 32 MiB once one was freed
        glibc.malloc_trim(0)


def spell_out_of_memory(samples: int) -> str:
    """Say what a run may do with less memory."""
    at_once = "one sample" if samples == 1 else f"{samples:,} samples"
    fewer = "" if samples == 1 else "compute.batch_bytes, "
    return f"memory does not suffice for {at_once} at once: lower {fewer}compute.threads or compute.workers"
