"""Joules: from NVML on a GPU, from RAPL on a CPU, or the reason why nobody can say."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from passband.jobs.bench.timing import Clock, Run

RAPL = Path("/sys/class/powercap")
LEAST_S = 1.0
"""Counters move every 20 to 100 ms: a run is repeated for at least so long."""


class Meter(Protocol):
    """A counter of joules.

    Attributes
    ----------
    name : "nvml" or "rapl"
    covers : what its joules are spent by
    """

    name: str
    covers: str

    def joules(self) -> float:
        """Return the joules that were spent since some moment."""


class NvmlMeter:
    """The total energy of one GPU, through nvidia-ml-py."""

    name, covers = "nvml", "the whole GPU"

    def __init__(self, read_millijoules: Callable[[], int]) -> None:
        self._read = read_millijoules

    def joules(self) -> float:
        """Return the joules since the driver was loaded."""
        return self._read() / 1000


class RaplMeter:
    """The energy of the processor packages, through the kernel's powercap files; other processes' work included."""

    name, covers = "rapl", "the processor packages, all processes"

    def __init__(self, packages: list[Path]) -> None:
        self._packages = packages
        self._last = [self._read(package) for package in packages]
        self._ranges = [int((package / "max_energy_range_uj").read_text()) for package in packages]
        self._total = 0

    @staticmethod
    def _read(package: Path) -> int:
        return int((package / "energy_uj").read_text())

    def joules(self) -> float:
        """Return the joules since this meter was made; a counter that began again from 0 is followed."""
        for number, package in enumerate(self._packages):
            now = self._read(package)
            self._total += (now - self._last[number]) % (self._ranges[number] + 1)
            self._last[number] = now
        return self._total / 1e6


def find_meter(backend: str, pci_bus_id: str | None = None, root: Path = RAPL) -> Meter | str:
    """Return the meter of a backend's device, or the reason why there is none.

    Parameters
    ----------
    pci_bus_id : of the GPU; NVML's numbers are not those that CUDA counts by
    """
    if backend == "cpu":
        return _rapl(root)
    return "the device has no PCI address" if pci_bus_id is None else _nvml(pci_bus_id)


def _nvml(pci_bus_id: str) -> Meter | str:
    try:
        import pynvml
    except ImportError:
        return "nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(pci_bus_id)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        return f"NVML: {error}"
    return NvmlMeter(lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))


def _rapl(root: Path) -> Meter | str:
    packages = sorted(path for path in root.glob("intel-rapl:*") if path.name.count(":") == 1)
    if not packages:
        return f"no RAPL counters below {root}"
    try:
        return RaplMeter(packages)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"


def joules_per_run(
    meter: Meter, run: Run, least_s: float = LEAST_S, clock: Clock = time.perf_counter
) -> tuple[float, int]:
    """Repeat `run` for at least `least_s`; return the joules of one run, and how many there were."""
    begun, before, runs = clock(), meter.joules(), 0
    while not runs or clock() - begun < least_s:
        run()
        runs += 1
    return (meter.joules() - before) / runs, runs
