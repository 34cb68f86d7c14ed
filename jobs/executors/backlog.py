"""The attempts that an executor has still to make: fresh tasks, taken lazily, and those that failed before."""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from passband.jobs.executors.base import Task


@dataclass(frozen=True)
class Attempt:
    """The `number`-th attempt at `task`, better not on the worker numbered `avoid`."""

    task: Task
    number: int = 1
    avoid: int | None = None


@dataclass(order=True)
class _Resting:
    due: float
    order: int
    attempt: Attempt = field(compare=False)


class Backlog:
    """Attempts to make, in the order of `tasks`; an attempt that comes back goes first once it has rested."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._ahead: deque[Task] = deque()
        self._resting: list[_Resting] = []
        self._order = itertools.count()

    def put(self, attempt: Attempt, pause_s: float = 0.0) -> None:
        """Take `attempt` back, to be made in `pause_s` seconds at the earliest."""
        heapq.heappush(self._resting, _Resting(time.monotonic() + pause_s, next(self._order), attempt))

    def take(self, worker: int, *, alone: bool) -> Attempt | None:
        """Return the next attempt for `worker`, or None; one that avoids it is given only if it is `alone`."""
        now = time.monotonic()
        for resting in sorted(self._resting):
            if resting.due > now:
                break
            if alone or resting.attempt.avoid != worker:
                self._resting.remove(resting)
                heapq.heapify(self._resting)
                return resting.attempt
        return self.take_fresh()

    def take_fresh(self) -> Attempt | None:
        """Return the first attempt at the next task, or None."""
        return Attempt(self._ahead.popleft()) if self.holds(1) else None

    def holds(self, fresh: int) -> bool:
        """Whether there are at least `fresh` tasks that were never attempted; looks no further ahead than that."""
        self._ahead.extend(itertools.islice(self._tasks, max(0, fresh - len(self._ahead))))
        return len(self._ahead) >= fresh

    def is_empty(self) -> bool:
        """Whether nothing is left, resting attempts included."""
        return not self._resting and not self.holds(1)

    def next_due_s(self) -> float | None:
        """Seconds until the next attempt has rested, or None; one that has waits for a worker, not for time."""
        now = time.monotonic()
        return min((resting.due - now for resting in self._resting if resting.due > now), default=None)
