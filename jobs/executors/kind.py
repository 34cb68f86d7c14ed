"""What an executor says of itself in `EXECUTORS`, and what it is told when it is opened."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from passband.jobs.executors.base import Executor, Retries


@dataclass(frozen=True)
class Choice:
    """How the tasks of a job are run.

    Attributes
    ----------
    executor : str
        Name in `EXECUTORS`.
    threads : int
        Of each worker. A Ray worker reserves as many CPUs.
    whole_cluster : bool
        Whether `workers` is only what this machine would have: at an address, it is one for every CPU or GPU there.
    gpus : int
        That each worker holds.
    """

    executor: str
    workers: int
    threads: int
    address: str | None = None
    whole_cluster: bool = False
    gpus: int = 0


@dataclass(frozen=True)
class Terms:
    """On which terms the tasks of a run are made.

    Attributes
    ----------
    deadline_s : float
        For one attempt; set-up is not counted. Only what can kill its workers can hold them to it.
    num_tasks : int
        More workers than that are of no use.
    setup : callable
        Called in every worker before its first task.
    """

    retries: Retries
    deadline_s: float
    num_tasks: int
    setup: Callable[[], None]


@dataclass(frozen=True)
class Kind:
    """A kind of executor: a line of `EXECUTORS`.

    Attributes
    ----------
    summary : str
        What it is, in a few words for the help of the command line.
    worker : str
        What one of its workers is called: "ray worker".
    open : (choice, terms) -> context manager of an Executor
    has_workers : bool
        Whether it may have more than one.
    takes_address : bool
        Whether it can run on a cluster that is told by its address.
    gives_gpus : bool
        Whether each of its workers can have a GPU of its own.
    in_process : bool
        Whether its tasks run in this very process, and find there what was kept for them.
    kills : bool
        Whether it can end a task that hangs, and so hold it to its deadline.
    """

    summary: str
    worker: str
    open: Callable[[Choice, Terms], AbstractContextManager[Executor]]
    has_workers: bool = False
    takes_address: bool = False
    gives_gpus: bool = False
    in_process: bool = False
    kills: bool = False
