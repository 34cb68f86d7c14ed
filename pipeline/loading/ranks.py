"""Which rank of how many a stream reads for, and how that is known."""

import os
from dataclasses import dataclass

import torch.distributed

from passband.pipeline.errors import PassbandError

GIVEN = "as given"
GROUP = "from torch.distributed"
LAUNCHER = "from torchrun's environment"
ALONE = "by default"
_ADVICE = "unset it, or give open_stream rank and world_size"


@dataclass(frozen=True)
class Ranks:
    """A rank, the number of ranks, and where both were taken from."""

    rank: int
    world_size: int
    source: str

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.world_size}, {self.source}"

    def current(self) -> "Ranks":
        """Return these; or those of the process group, where they were not given and it has come about since."""
        return self if self.source == GIVEN else _of_process_group() or self


def find_ranks(rank: int | None, world_size: int | None, advice: str = _ADVICE) -> Ranks:
    """Return what was given, else what the process group says, else torchrun's environment, else rank 0 of 1.

    Parameters
    ----------
    advice : what can be done about a wrong environment, for the error

    Raises
    ------
    PassbandError
        If one of the two is given without the other, or the environment has one alone or no integers.
    """
    if rank is not None and world_size is not None:
        return Ranks(rank, world_size, GIVEN)
    if rank is not None or world_size is not None:
        given, absent = ("rank", "world_size") if world_size is None else ("world_size", "rank")
        value = rank if world_size is None else world_size
        raise PassbandError(
            f"{given} is {value!r}, but {absent} is not given; give both, or neither to take them from "
            "torch.distributed or torchrun"
        )
    return _of_process_group() or _of_environment(advice) or Ranks(0, 1, ALONE)


def _of_process_group() -> Ranks | None:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return None
    return Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size(), GROUP)


def _of_environment(advice: str) -> Ranks | None:
    """Return what torchrun set; the variables of other launchers are not its, and are left alone."""
    present = [name for name in ("RANK", "WORLD_SIZE") if name in os.environ]
    if not present:
        return None
    if len(present) == 1:
        (name,) = present
        absent = "RANK" if name == "WORLD_SIZE" else "WORLD_SIZE"
        raise PassbandError(
            f"the environment has {name}={os.environ[name]!r} but no {absent}, and torchrun sets both; {advice}"
        )
    rank, world_size = (announced_integer(name, least, advice) for name, least in (("RANK", 0), ("WORLD_SIZE", 1)))
    if rank >= world_size:
        raise PassbandError(f"the environment has RANK={rank} and WORLD_SIZE={world_size}; RANK is at most one less")
    return Ranks(rank, world_size, LAUNCHER)


def announced_integer(name: str, least: int, advice: str) -> int:
    """Return a number that a launcher has set in the environment; raise PassbandError where it is none."""
    text = os.environ[name]
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):
        raise PassbandError(
            f"the environment has {name}={text[:40]!r}; it must be an integer of at least {least}: {advice}"
        )
    return int(text)
