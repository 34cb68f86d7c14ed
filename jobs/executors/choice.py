"""Which executor a job gets, with how many workers and threads."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

from passband.jobs.executors.base import Executor, Retries
from passband.jobs.executors.inline import InlineExecutor
from passband.jobs.executors.ray import RayExecutor
from passband.jobs.executors.ray_places import cluster_places
from passband.jobs.executors.ray_session import connect, is_connected, local_ray
from passband.pipeline.errors import PassbandError


@dataclass(frozen=True)
class Choice:
    """How the tasks of a job are run.

    Attributes
    ----------
    threads : int
        Of each worker. A Ray worker reserves as many CPUs.
    whole_cluster : bool
        Whether `workers` is only what this machine would have: at an address, it is one for every CPU or GPU there.
    gpus : int
        That each worker holds.
    """

    executor: Literal["inline", "ray"]
    workers: int
    threads: int
    address: str | None = None
    whole_cluster: bool = False
    gpus: int = 0


def choose(
    executor: str, workers: int | None, address: str | None, num_gpus: int = 0, threads: int | None = None
) -> Choice:
    """Choose for ``executor: auto | inline | ray``: Ray when more than one worker or an address is asked for.

    Parameters
    ----------
    num_gpus : int
        GPUs of this machine, where the kernels run on them; then a worker has one of its own. 0: they run on CPUs.
    threads : int or None
        Of each worker; None: inline every CPU, on Ray one, or beside a GPU its share of the CPUs. Where the number of
        workers is left open, more threads mean fewer workers.
    """
    many = (workers or num_gpus) > 1 or address is not None
    if executor == "inline" or (executor == "auto" and not many):
        if (workers or 1) > 1 or address is not None:
            raise ValueError("executor inline has one worker and no address; use ray")
        return Choice("inline", 1, threads or usable_cpus())
    whole_cluster = address is not None and workers is None
    if not num_gpus:
        each = threads or 1
        return Choice("ray", workers or max(1, usable_cpus() // each), each, address, whole_cluster)
    if address is None and (workers or 1) > num_gpus:
        raise PassbandError(f"workers is {workers}: this machine has {num_gpus} GPUs, and a worker needs one")
    count = workers or num_gpus
    share = max(1, usable_cpus() // min(count, num_gpus))
    return Choice("ray", count, threads or share, address, whole_cluster, gpus=1)


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
    with _ray(choice, max(1, min(choice.workers, num_tasks))):
        wanted = cluster_places(choice.threads, choice.gpus) if choice.whole_cluster else choice.workers
        yield RayExecutor(
            max(1, min(wanted, num_tasks)),
            num_cpus=choice.threads,
            num_gpus=choice.gpus,
            retries=retries,
            deadline_s=deadline_s,
            setup=setup,
            grow_to=num_tasks if choice.whole_cluster else None,
            check_versions=choice.address is not None,
        )


def _ray(choice: Choice, workers: int) -> AbstractContextManager[None]:
    if is_connected():
        return nullcontext()  # opened by the caller, who also ends it
    if choice.address is not None:
        return connect(choice.address)
    return local_ray(workers * choice.threads, num_gpus=workers * choice.gpus)
