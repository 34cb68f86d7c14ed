"""The executor for tests, debugging and small jobs: this process, one task after another."""

import time
from collections.abc import Generator, Iterable, Iterator

from passband.jobs.executors.base import ExecutorError, Outcome, Retries, Task, attempt, outcome, worker_name


class InlineExecutor:
    """Run tasks in this process, in their order. It has no deadline: it cannot kill a task that hangs.

    Parameters
    ----------
    retries : Retries
    """

    def __init__(self, *, retries: Retries | None = None) -> None:
        self.retries = retries or Retries()

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Yield the outcomes of `tasks`; KeyboardInterrupt and SystemExit pass through."""
        for task in tasks:
            yield from self._run_one(task)

    def _run_one(self, task: Task) -> Iterator[Outcome]:
        for number in range(1, self.retries.max_attempts + 1):
            reply = attempt(task, number)
            if reply.ends_worker:
                raise ExecutorError(f"{task.name}: {reply.cause}; run it again (--executor ray starts a fresh worker)")
            result = outcome(task, number, worker_name(), reply, self.retries)
            yield result
            if result.kind != "retried":
                return
            time.sleep(self.retries.pause_s(number))
