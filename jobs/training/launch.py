"""What a launcher such as torchrun announces to the processes of one training, in the environment."""

import os
from dataclasses import dataclass

from jobs.files import JobError

_MEANT = "torchrun sets RANK and WORLD_SIZE together: start the training by it, or unset what is left of it"


@dataclass(frozen=True)
class Announced:
    """The number of this process, and of how many."""

    rank: int = 0
    world_size: int = 1


def announced() -> Announced:
    """Return what is announced, one process alone where nothing is.

    Raises
    ------
    JobError
        If only half of it is there, it is no number, or the processes could not find one another.
    """
    given = {name: os.environ[name] for name in ("RANK", "WORLD_SIZE") if name in os.environ}
    if not given:
        return Announced()
    if len(given) == 1:
        (name, value), other = next(iter(given.items())), "WORLD_SIZE" if "RANK" in given else "RANK"
        raise JobError(f"the environment has {name}={value!r} and no {other}; {_MEANT}")
    rank, world_size = (_number(name, given[name]) for name in ("RANK", "WORLD_SIZE"))
    if not rank < world_size:
        raise JobError(f"the environment has RANK={rank}, which is not below WORLD_SIZE={world_size}; {_MEANT}")
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if world_size > 1 and missing:
        raise JobError(f"the environment has WORLD_SIZE={world_size} and no {' and no '.join(missing)}; {_MEANT}")
    return Announced(rank, world_size)


def local_rank() -> int:
    """Return the number of this process on its machine, which is that of its GPU."""
    return _number("LOCAL_RANK", os.environ.get("LOCAL_RANK", "0"))


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise JobError(f"the environment has {name}={value[:40]!r}, which is no number; {_MEANT}")
    return int(value)
