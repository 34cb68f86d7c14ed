"""Which executor a job gets, with how many workers and threads: `EXECUTORS` has a line for each."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from passband.jobs.executors.base import Executor, Retries
from passband.jobs.executors.inline import INLINE
from passband.jobs.executors.kind import Choice, Kind, Terms
from passband.jobs.executors.ray import RAY
from passband.jobs.executors.threads import THREADS
from passband.pipeline.errors import PassbandError
from passband.pipeline.problems import nearest

EXECUTORS: dict[str, Kind] = {"inline": INLINE, "threads": THREADS, "ray": RAY}
"""Name in job files and on the command line -> what is opened."""
AUTO = "auto"
"""Stands for inline, or for Ray where more than one worker or an address is asked for."""


def executor_names() -> list[str]:
    """Return what a job file may say of its executor."""
    return [AUTO, *EXECUTORS]


def known_executor(given: Any) -> Any:
    """Return the name of an executor, or ``auto``; raise ValueError, naming what is allowed, where it is none."""
    if given not in executor_names():
        raise ValueError(f"allowed: {', '.join(executor_names())}{nearest(given, executor_names())}")
    return given


def of_here(job: Any) -> Any:
    """Return what an output keeps of its job; an executor that is not there any more, someone's own, becomes ``auto``.

    It has shaped no byte. What is no job is returned as it is.
    """
    compute = job.get("compute") if isinstance(job, dict) else None
    if not isinstance(compute, dict) or not isinstance(compute.get("executor"), str):
        return job
    return job if compute["executor"] in executor_names() else {**job, "compute": {**compute, "executor": AUTO}}


def refuse_misfit(executor: str, workers: int | None, address: str | None) -> None:
    """Raise ValueError, naming those that fit, where an executor has no such workers or takes no address."""
    if executor == AUTO:
        return
    several, remote = (workers or 1) > 1, address is not None
    kind = EXECUTORS[executor]
    if (several and not kind.has_workers) or (remote and not kind.takes_address):
        lacks = [] if kind.has_workers else ["one worker"]
        lacks += [] if kind.takes_address else ["no address"]
        fit = [
            name
            for name, other in EXECUTORS.items()
            if (other.has_workers or not several) and (other.takes_address or not remote)
        ]
        raise ValueError(f"executor {executor} has {' and '.join(lacks)}; use {' or '.join(fit)}")


def choose(
    executor: str, workers: int | None, address: str | None, num_gpus: int = 0, threads: int | None = None
) -> Choice:
    """Choose for ``executor: NAME | auto``: by itself Ray when more than one worker or an address is asked for.

    Parameters
    ----------
    num_gpus : int
        GPUs of this machine, where the kernels run on them; then a worker has one of its own. 0: they run on CPUs.
    threads : int or None
        Of each worker; None: of the only one every CPU, of several one, or beside a GPU its share of the CPUs. Where
        the number of workers is left open, more threads mean fewer workers.

    Raises
    ------
    ValueError
        If the executor is unknown, or has no such workers or address.
    PassbandError
        If there are too few GPUs, or the executor cannot share them out.
    """
    refuse_misfit(known_executor(executor), workers, address)
    many = (workers or num_gpus) > 1 or address is not None
    name = executor if executor != AUTO else "ray" if many else "inline"
    kind = EXECUTORS[name]
    if not kind.has_workers:
        return Choice(name, 1, threads or usable_cpus())
    whole_cluster = address is not None and workers is None
    if not num_gpus:
        each = threads or 1
        return Choice(name, workers or max(1, usable_cpus() // each), each, address, whole_cluster)
    if not kind.gives_gpus:
        raise PassbandError(f"executor {name} works on CPUs alone: use backend cpu, or another executor")
    if address is None and (workers or 1) > num_gpus:
        raise PassbandError(f"workers is {workers}: this machine has {num_gpus} GPUs, and a worker needs one")
    count = workers or num_gpus
    share = max(1, usable_cpus() // min(count, num_gpus))
    return Choice(name, count, threads or share, address, whole_cluster, gpus=1)


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_executor(
    choice: Choice, retries: Retries, deadline_s: float, num_tasks: int, setup: Callable[[], None]
) -> AbstractContextManager[Executor]:
    """Open the chosen executor, with no more workers than there are tasks.

    `setup` is called in every worker before its first task; `deadline_s` does not count it.
    """
    return EXECUTORS[choice.executor].open(choice, Terms(retries, deadline_s, num_tasks, setup))
