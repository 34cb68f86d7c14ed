"""The executor for several workers without Ray: threads of this process, side by side where NumPy and zlib let them.

They share memory, kernels' threads and fate: a task that hangs cannot be killed, so there is no deadline, and one that
takes the process down takes all of them.
"""

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from passband.jobs.executors.backlog import Attempt
from passband.jobs.executors.base import (
    Executor,
    ExecutorError,
    Outcome,
    Reply,
    Retries,
    Task,
    attempt,
    refuse_end,
    start,
)
from passband.jobs.executors.here import become_worker
from passband.jobs.executors.kind import Choice, Kind, Terms
from passband.jobs.executors.scheduling import Handle, schedule


class ThreadExecutor:
    """Run tasks on `num_workers` threads.

    A failed attempt is repeated on another thread where there is one.

    Parameters
    ----------
    num_workers : int, at least 1
    retries : Retries
    setup : callable or None
        Run once on every thread, before any task.
    """

    def __init__(
        self, num_workers: int, *, retries: Retries | None = None, setup: Callable[[], None] | None = None
    ) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers is {num_workers}: at least 1 is needed")
        self.num_workers = num_workers
        self.retries = retries or Retries()
        self.setup = setup

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Yield the outcomes of `tasks` as they come.

        Closing the iterator begins no further task and waits for those that run, which end early where they ask
        `check_stopped`. KeyboardInterrupt and SystemExit that a task raises pass through.

        Raises
        ------
        ExecutorError
            If set-up fails, or a task leaves this process unable to go on.
        """
        yield from schedule(lambda: ThreadPool(self.num_workers, self.setup, self.retries), tasks, self.retries)


@dataclass(kw_only=True)
class ThreadHandle(Handle):
    """One thread."""

    thread: ThreadPoolExecutor

    def call(self, task: Task, number: int) -> "Future[Reply]":
        """Return the future reply."""
        return self.thread.submit(attempt, task, number)


class ThreadPool:
    """Threads of one run: a `Pool`."""

    depth = 1

    def __init__(self, num_workers: int, setup: Callable[[], None] | None, retries: Retries) -> None:
        self._stop, self._retries = threading.Event(), retries
        self.handles = [self._spawn(number, setup) for number in range(num_workers)]

    def _spawn(self, number: int, setup: Callable[[], None] | None) -> ThreadHandle:
        thread = ThreadPoolExecutor(1, f"worker-{number}", become_worker, (number, self._stop))
        return ThreadHandle(number=number, started=thread.submit(start, setup, self._retries), thread=thread)

    def wait(self, timeout_s: float) -> list[ThreadHandle]:
        """Return threads whose head is done; raise ExecutorError if one could not be set up."""
        busy = [handle for handle in self.handles if handle.current is not None]
        if not busy:
            self._stop.wait(timeout_s)
            return []
        wait([handle.current for handle in busy], timeout_s, FIRST_COMPLETED)
        done = [handle for handle in busy if handle.current.done()]
        for handle in done:
            if not handle.is_up:
                reply = handle.started.result()
                if reply.cause is not None:
                    raise ExecutorError(f"no worker starts: {reply.cause}")
                handle.came_up(reply.record)
        return [handle for handle in done if handle.calls]

    def reply(self, handle: ThreadHandle) -> Reply:
        """Return what the head of `handle` replied."""
        reply: Reply = handle.current.result()
        refuse_end(handle.calls[0][1].task, reply)
        return reply

    def is_done(self, handle: ThreadHandle) -> bool:
        """Whether the head of `handle` is done."""
        return bool(handle.current.done())

    def replace(self, handle: ThreadHandle) -> list[Attempt]:
        """Be never called: `reply` has raised before."""
        raise AssertionError("no thread is lost, and none has a deadline")

    def close(self) -> None:
        """Withdraw what was not begun, ask what runs to end, and wait until no thread is left.

        A signal that comes meanwhile is raised afterwards: the threads write, and the output is locked for them.
        """
        self._stop.set()
        left, signalled = [handle.thread for handle in self.handles], None
        for thread in left:
            thread.shutdown(wait=False, cancel_futures=True)
        while left:
            try:
                left[-1].shutdown()
                left.pop()
            except (KeyboardInterrupt, SystemExit) as error:
                signalled = error
        if signalled is not None:
            raise signalled


def _open(choice: Choice, terms: Terms) -> AbstractContextManager[Executor]:
    workers = max(1, min(choice.workers, terms.num_tasks))
    return nullcontext(ThreadExecutor(workers, retries=terms.retries, setup=terms.setup))


THREADS = Kind("threads of this process", "worker thread", _open, has_workers=True, in_process=True)
