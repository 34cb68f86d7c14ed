"""Which kernels the calls launch, and how: nothing here or in the checks lists them by hand."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from tests.cuda_host.calls import SMALL, SQUARES, Call, calls
from tests.cuda_host.device import HostDevice


class Launched(NamedTuple):
    """One launch, as `HostDevice.launches` notes it."""

    source: str
    kernel: str
    options: tuple[str, ...]
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int

    @property
    def build(self) -> tuple[str, tuple[str, ...]]:
        """Return what the compiler makes as one: the source and its options."""
        return self.source, self.options


@cache
def by_call(shapes: tuple = (*SMALL, *SQUARES)) -> dict[Call, list[Launched]]:
    """Return the launches of every call."""
    return {call: launches_of(call) for call in calls(shapes)}


def launches_of(call: Call) -> list[Launched]:
    """Return the launches of one call."""
    device = HostDevice()
    call.run(device)
    return [Launched(*launch) for launch in device.launches]


def every_launch(found: dict[Call, list[Launched]]) -> list[Launched]:
    """Return all launches that differ in more than the grid, in a fixed order."""
    each = {launch._replace(grid=()): launch for run in found.values() for launch in run}
    return [each[key] for key in sorted(each)]


def of_source(found: dict[Call, list[Launched]], source: str) -> dict[Call, list[Launched]]:
    """Return the calls that launch a kernel of one source, and those launches of theirs."""
    own = {call: [launch for launch in run if launch.source == source] for call, run in found.items()}
    return {call: run for call, run in own.items() if run}


def covering(found: dict[Call, list[Launched]]) -> Sequence[Call]:
    """Return a few calls, taken greedily, that launch every kernel of every build that `found` does."""
    wanted = {call: {(*launch.build, launch.kernel) for launch in run} for call, run in found.items()}
    missing: set = set().union(*wanted.values())
    chosen = []
    while missing:
        best = max(wanted, key=lambda call: len(wanted[call] & missing))
        chosen.append(best)
        missing -= wanted[best]
    return chosen
