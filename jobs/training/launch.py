"""What a launcher such as torchrun announces to the processes of one training, in the environment."""

import os

from passband.jobs.common.jobfile import JobError
from passband.pipeline.loading.ranks import LAUNCHER, Ranks, announced_integer, find_ranks

_ADVICE = "start the training by torchrun, or unset what is left of it"


def announced() -> Ranks:
    """Return the number of this process and of how many, one process alone where nothing is announced.

    Raises
    ------
    PassbandError
        If only half of it is there, it is no number, or the processes could not find one another.
    """
    ranks = find_ranks(None, None, _ADVICE)
    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if ranks.source == LAUNCHER and ranks.world_size > 1 and missing:
        raise JobError(
            f"the environment has WORLD_SIZE={ranks.world_size} and no {' and no '.join(missing)}; {_ADVICE}"
        )
    return ranks


def local_rank() -> int:
    """Return the number of this process on its machine, which is that of its GPU."""
    return announced_integer("LOCAL_RANK", 0, _ADVICE) if "LOCAL_RANK" in os.environ else 0
