"""The executor for tests, debugging and small jobs: this process, one task after another."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from passband.jobs.executors.base import (
    Executor,
    ExecutorError,
    Outcome,
    Retries,
    Task,
    attempt,
    outcome,
    refuse_end,
    start,
)
from passband.jobs.executors.here import worker_name
from passband.jobs.executors.kind import Choice, Kind, Terms


class InlineExecutor:
    """Run tasks in this process, in their order. It has no deadline: it cannot kill a task that hangs.

    Parameters
    ----------
    retries : Retries
    setup : callable or None
        Run once, before the first task.
    """

    def __init__(self, *, retries: Retries | None = None, setup: Callable[[], None] | None = None) -> None:
        self.retries = retries or Retries()
        self.setup = setup

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Yield the outcomes of `tasks`; KeyboardInterrupt and SystemExit pass through.

        Raises
        ------
        ExecutorError
            If set-up fails, or a task leaves this process unable to go on.
        """
        setup = self.setup
        for task in tasks:
            if setup is not None and (reply := start(setup, self.retries)).cause is not None:
                raise ExecutorError(f"no worker starts: {reply.cause}")
            setup = None
            yield from self._run_one(task)

    def _run_one(self, task: Task) -> Iterator[Outcome]:
        for number in range(1, self.retries.max_attempts + 1):
            reply = attempt(task, number)
            refuse_end(task, reply)
            result = outcome(task, number, worker_name(), reply, self.retries)
            yield result
            if result.kind != "retried":
                return
            time.sleep(self.retries.pause_s(number))


def _open(choice: Choice, terms: Terms) -> AbstractContextManager[Executor]:
    return nullcontext(InlineExecutor(retries=terms.retries, setup=terms.setup))


INLINE = Kind("this process, one task after another", "inline worker", _open, in_process=True)
