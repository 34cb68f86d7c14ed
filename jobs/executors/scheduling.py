"""The loop of an executor with many workers: it hands out, collects, retries and holds to deadlines.

What a worker is, an actor or a thread, is told by a `Pool` of them and their `Handle`.
"""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from passband.jobs.executors.backlog import Attempt, Backlog
from passband.jobs.executors.base import Outcome, Reply, Retries, Task, outcome

_START_S = 10.0  # what a worker may well need to come up


@dataclass(kw_only=True)
class Handle(ABC):
    """A worker as the driver sees it.

    Attributes
    ----------
    number : int
        Unlike any other worker's of this run.
    started : call
        That sets it up, as the pool knows it.
    calls : (call, attempt)
        In the order in which the worker makes them; the first is its head.
    since : float
        When the head, or before that the start, began (monotonic clock).
    name : str or None
        See `worker_name`; None until it is up.
    """

    number: int
    started: Any
    calls: deque[tuple[Any, Attempt]] = field(default_factory=deque)
    since: float = field(default_factory=time.monotonic)
    name: str | None = None

    @abstractmethod
    def call(self, task: Task, number: int) -> Any:
        """Have the worker make an attempt behind those it has; return at once what the pool knows the call by."""

    @property
    def is_up(self) -> bool:
        """Whether it takes attempts."""
        return self.name is not None

    @property
    def current(self) -> Any:
        """The call that it is at: its start, its head, or None."""
        if not self.is_up:
            return self.started
        return self.calls[0][0] if self.calls else None

    def submit(self, attempt: Attempt) -> None:
        """Queue `attempt` behind what it has to do."""
        if not self.calls:
            self.since = time.monotonic()
        self.calls.append((self.call(attempt.task, attempt.number), attempt))

    def came_up(self, name: str) -> None:
        """Note that it takes attempts from now on."""
        self.name, self.since = name, time.monotonic()

    def pop(self) -> Attempt:
        """Take off the head; the next call, if any, moves up."""
        self.since = time.monotonic()
        return self.calls.popleft()[1]


H = TypeVar("H", bound=Handle)


class Pool(Protocol[H]):
    """The workers of one run, which come up by themselves once it is opened.

    Attributes
    ----------
    handles : list of Handle
        Workers that are up or coming up.
    depth : 1 or 2
        Attempts that a worker may have at once: a second one hides the way to another process.
    """

    handles: list[H]
    depth: int

    def wait(self, timeout_s: float) -> list[H]:
        """Return workers whose head is done, or that died; see to those that come up. Waits no longer than asked.

        Raises
        ------
        ExecutorError
            If no worker comes up, or none can any more.
        """

    def reply(self, handle: H) -> Reply:
        """Return what the head of `handle` replied, or how the worker died instead."""

    def is_done(self, handle: H) -> bool:
        """Whether the head of `handle` is done, or died."""

    def replace(self, handle: H) -> list[Attempt]:
        """Kill `handle`, start another worker, and return the attempts that it still had, the head first."""

    def close(self) -> None:
        """End all workers, at work or not."""


def schedule(
    open_pool: Callable[[], Pool[H]], tasks: Iterable[Task], retries: Retries, deadline_s: float | None = None
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of `tasks` as they come; the pool is opened only where there are any, and closed at the end.

    Parameters
    ----------
    deadline_s : for one attempt, measured from when it is at the head of its worker, which is then replaced; or None
    """
    backlog = Backlog(tasks)
    if backlog.is_empty():
        return
    pool = open_pool()
    try:
        yield from _Loop(pool, backlog, retries, deadline_s).run()
    finally:
        pool.close()


@dataclass(frozen=True)
class _Loop(Generic[H]):
    pool: Pool[H]
    backlog: Backlog
    retries: Retries
    deadline_s: float | None

    def run(self) -> Iterator[Outcome]:
        outcomes: list[Outcome] = []
        while True:
            self._hand_out()
            yield from outcomes  # after handing out: the workers have work while the caller sees to these
            if self.backlog.is_empty() and not any(handle.calls for handle in self.pool.handles):
                return
            outcomes = list(self._collect())

    def _hand_out(self) -> None:
        """Give every idle worker an attempt; then a second one where the pool asks for it.

        Not so at the ends of a run, where a second one would wait although another worker is, or soon will be, idle.
        Nor is the second one a task that came back: if it kills its worker at once, the reply before it may be lost
        with the worker, and the wrong task would be charged.
        """
        for handle in self._up():
            if not handle.calls:
                _submit(handle, self.backlog.take(handle.number, alone=self._is_alone(handle)))
        if self.pool.depth < 2 or any(_comes_soon(handle) for handle in self.pool.handles):
            return
        for handle in self._up():
            if len(handle.calls) == 1 and self.backlog.holds(len(self.pool.handles)):
                _submit(handle, self.backlog.take_fresh())

    def _collect(self) -> Iterator[Outcome]:
        """Wait for replies, deaths and deadlines."""
        for handle in self.pool.wait(self._pause_s()):
            reply = self.pool.reply(handle)
            yield self._settle(handle, reply, ended=reply.ends_worker)
        for handle in self._overdue():
            reply = Reply(cause=f"killed, as it was not done after {self.deadline_s:g} s")
            yield self._settle(handle, reply, ended=True)

    def _settle(self, handle: H, reply: Reply, *, ended: bool) -> Outcome:
        """Turn the reply to the head of `handle` into an outcome; put back what is to be made again."""
        attempt = handle.pop()
        if ended:
            for uncharged in self.pool.replace(handle):
                self.backlog.put(uncharged)
        result = outcome(attempt.task, attempt.number, handle.name or "", reply, self.retries)
        if result.kind == "retried":
            again = replace(attempt, number=attempt.number + 1, avoid=handle.number)
            self.backlog.put(again, self.retries.pause_s(attempt.number))
        return result

    def _overdue(self) -> Iterator[H]:
        for handle in self._up():
            late = self.deadline_s is not None and time.monotonic() - handle.since > self.deadline_s
            if handle.calls and late and not self.pool.is_done(handle):  # the caller may have been slow, not the task
                yield handle

    def _pause_s(self) -> float:
        """How long nothing need be looked at but replies."""
        pauses = [1.0]
        if (due_s := self.backlog.next_due_s()) is not None:
            pauses.append(due_s)
        if self.deadline_s is not None:
            ends = [handle.since + self.deadline_s for handle in self._up() if handle.calls]
            pauses += [end - time.monotonic() + 0.01 for end in ends]
        return max(0.0, min(pauses))

    def _up(self) -> list[H]:
        """Return the workers that take attempts."""
        return [handle for handle in self.pool.handles if handle.is_up]

    def _is_alone(self, handle: H) -> bool:
        """Whether no other worker is up, nor can be expected shortly."""
        others = [other for other in self.pool.handles if other is not handle]
        return not any(other.is_up or _comes_soon(other) for other in others)


def _comes_soon(handle: Handle) -> bool:
    """Whether a worker can be expected to be up shortly; one that waits for a node to join cannot."""
    return not handle.is_up and time.monotonic() - handle.since < _START_S


def _submit(handle: Handle, attempt: Attempt | None) -> None:
    if attempt is not None:
        handle.submit(attempt)
