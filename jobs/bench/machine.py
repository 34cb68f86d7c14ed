"""What a timing depends on: the processor, how much of it may be used, and versions."""

import importlib.metadata
import os
import platform

from passband.jobs.bench.device import BenchDevice
from passband.jobs.bench.document import DeviceFacts
from passband.jobs.dataset.environment import processor
from passband.jobs.executors.choice import usable_cpus

LIBRARIES = ("passband", "numpy", "scipy", "numba", "torch", "torchvision", "pillow")
BUSY = 0.5
"""Load of a CPU from which a benchmark says that the machine was busy."""


def describe_machine() -> dict[str, str | int]:
    """Return the processor, how many CPUs may be used, and the versions that matter to a timing."""
    return {"processor": processor(), "cpus": usable_cpus(), **versions()}


def versions() -> dict[str, str]:
    """Return library -> version, those that are not installed left out."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def device_facts(device: BenchDevice, load: float | None) -> DeviceFacts:
    """Return where something was measured; `load` is `load_average` of before."""
    return DeviceFacts(
        backend="cuda" if device.backend == "cuda" else "cpu",
        name=device.name,
        processor=processor(),
        cpus=usable_cpus(),
        threads=device.threads,
        load=load,
    )


def load_average() -> float | None:
    """Return how many processes wanted a CPU in the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def is_busy(facts: DeviceFacts) -> bool:
    """Say whether others used so much of the host that figures are worth little."""
    return facts.load is not None and facts.load > BUSY * facts.cpus
