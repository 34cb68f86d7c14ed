"""What a timing depends on: the processor, how much of it may be used, and versions."""

import importlib.metadata
import platform

from jobs.bench.device import BenchDevice
from jobs.bench.document import DeviceFacts
from jobs.executors.choice import usable_cpus
from jobs.generation.environment import processor

LIBRARIES = ("passband", "numpy", "scipy", "numba", "torch", "torchvision", "pillow")
CUDA_LIBRARIES = ("cupy-cuda13x", "cupy-cuda12x", "nvidia-cuda-runtime", "nvidia-cufft")


def describe_machine() -> dict[str, str | int]:
    """Return the processor, how many CPUs may be used, and the versions that matter to a timing."""
    return {"processor": processor(), "cpus": usable_cpus(), **versions()}


def versions(cuda: bool = False) -> dict[str, str]:
    """Return library -> version, those that are not installed left out."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES + (CUDA_LIBRARIES if cuda else ()):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def device_facts(device: BenchDevice) -> DeviceFacts:
    """Return where something was measured."""
    return DeviceFacts(
        backend="cuda" if device.backend == "cuda" else "cpu",
        name=device.name,
        processor=processor(),
        cpus=usable_cpus(),
        threads=device.threads,
    )
