"""The worker processes of a reproduction: they end with the command, however it ends."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.synchronize import Event
from typing import Any, Self

from passband.jobs.reproduce.graph import Made, Task
from passband.pipeline.errors import PassbandError

_stop: Event | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    results : None where it failed or was stopped
    error : None where it did not fail
    """

    results: dict[str, Any] | None
    error: str | None
    seconds: float


class Pool:
    """Worker processes, which start when there is something to do; they are asked to end with the block.

    They are spawned: a fork of a process in which torch has run threads may hang.
    """

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(self._stop,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()  # a training that runs writes a checkpoint and ends
        self._executor.shutdown(cancel_futures=True)

    def submit(self, task: Task, folder: str, needs: Mapping[str, Made]) -> "Future[Outcome]":
        """Begin a task; BrokenProcessPool from here or from the future means that some process died."""
        # Ctrl-C reaches every process of a terminal, but how the work ends is for the command to say, by the event. A
        # process that is started now inherits what is blocked, before it could say so itself.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self._executor.submit(work, task, folder, needs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _begin(stop: Event) -> None:
    global _stop  # noqa: PLW0603  # a process of the pool has no other place for what it is given at its start
    _stop = stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End at once when the command was killed: whoever resumes it finds no one at work on its trainings."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def work(task: Task, folder: str, needs: Mapping[str, Made]) -> Outcome:
    """Run a task in this process; whatever it raises becomes an outcome here, as not every exception can travel."""
    begun = time.perf_counter()
    results, error = None, None
    try:
        results = task.run(folder, needs, _stop.is_set if _stop is not None else lambda: False)
    except SystemExit:
        pass  # it was asked to
    except PassbandError as problem:
        error = str(problem)
    except Exception:  # a bug of ours or no memory: the node is named, and the others go on
        error = traceback.format_exc(limit=-3).strip()
    return Outcome(results, error, time.perf_counter() - begun)
