"""Which executor a job gets, with how many workers and threads."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

from jobs.executors.base import Executor, Retries
from jobs.executors.inline import InlineExecutor
from jobs.executors.ray import RayExecutor
from jobs.executors.ray_places import cluster_places
from jobs.executors.ray_session import connect, is_connected, local_ray


@dataclass(frozen=True)
class Choice:
    """How the tasks of a job are run.

    Attributes
    ----------
    threads : int
        Of each worker. Inline uses every CPU; a Ray worker has the one CPU that it holds.
    whole_cluster : bool
        Whether `workers` is only what this machine would have: at an address, it is one for every CPU there.
    """

    executor: Literal["inline", "ray"]
    workers: int
    threads: int
    address: str | None = None
    whole_cluster: bool = False


def choose(executor: str, workers: int | None, address: str | None) -> Choice:
    """Choose for ``executor: auto | inline | ray``: Ray when more than one worker or an address is asked for."""
    wants_ray = executor == "ray" or (executor == "auto" and ((workers or 1) > 1 or address is not None))
    if not wants_ray:
        if (workers or 1) > 1 or address is not None:
            raise ValueError("executor inline has one worker and no address; use ray")
        return Choice("inline", 1, usable_cpus())
    whole_cluster = address is not None and workers is None
    return Choice("ray", workers or usable_cpus(), 1, address, whole_cluster)


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_executor(
    choice: Choice, retries: Retries, deadline_s: float, num_tasks: int, setup: Callable[[], None]
) -> Iterator[Executor]:
    """Open the chosen executor, with no more workers than there are tasks.

    `setup` is called in every worker before its first task; `deadline_s` does not count it.
    """
    if choice.executor == "inline":
        yield InlineExecutor(retries=retries)
        return
    with _ray(choice.address, max(1, min(choice.workers, num_tasks))):
        wanted = cluster_places(choice.threads) if choice.whole_cluster else choice.workers
        yield RayExecutor(
            max(1, min(wanted, num_tasks)),
            num_cpus=choice.threads,
            retries=retries,
            deadline_s=deadline_s,
            setup=setup,
            grow_to=num_tasks if choice.whole_cluster else None,
            check_versions=choice.address is not None,
        )


def _ray(address: str | None, workers: int) -> AbstractContextManager[None]:
    if is_connected():
        return nullcontext()  # opened by the caller, who also ends it
    return local_ray(workers) if address is None else connect(address)
