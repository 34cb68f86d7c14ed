"""What an executor is: it runs tasks, retries those that fail, and tells what became of each."""

import time
import traceback
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from passband.jobs.executors.here import check_stopped, worker_name
from passband.pipeline.errors import PassbandError

AGAIN = "run it again: what is finished is kept"
"""What helps where the executor broke off."""


class Task(Protocol):
    """A piece of work that may be run anywhere, more than once, with the same result."""

    @property
    def name(self) -> str:
        """Stands in errors and displays: "shard 000003"."""

    def run(self, attempt: int) -> Any:
        """Do the work and return a small record (never pixels); `attempt` counts from 1.

        Where a run is closed, `inline` lets KeyboardInterrupt through, `ray` kills the worker, and `threads` waits for
        the task, which may ask `here.check_stopped` so that it is not for long.
        """


class PermanentError(Exception):
    """Raised by a task whose failure no retry can mend (bad input, say): it fails at its first attempt."""


class DeviceFailure(Exception):
    """Raised by a task whose process cannot use its device any more: a fresh process must try again."""


class ExecutorError(PassbandError):
    """The executor itself cannot go on: no worker comes up, the cluster is gone."""


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt at a task.

    Attributes
    ----------
    task : Task
    kind : "done", "failed" or "retried"
        Every task ends with one "done" or one "failed"; a "retried" before it says that another attempt follows.
    attempts : int
        Attempts made so far, this one included.
    worker : str
        "host:pid" of the process that made the attempt, with "/number" of its thread where several do.
    record : object or None
        What the task returned, when done.
    error : str or None
        One line that names task and cause, unless done.
    details : str or None
        Traceback, where there is one.
    """

    task: Task
    kind: Literal["done", "failed", "retried"]
    attempts: int
    worker: str
    record: Any = None
    error: str | None = None
    details: str | None = None


class Executor(Protocol):
    """Runs tasks; see `EXECUTORS` of `jobs.executors.choice`."""

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Run `tasks`, consumed lazily, and yield outcomes as they come, in no promised order.

        Closing the iterator stops the work. A task that fails for good does not stop the others: a caller with a
        failure budget counts the outcomes and closes.
        """


@dataclass(frozen=True)
class Retries:
    """How often a task is attempted, and how long it rests between attempts.

    Parameters
    ----------
    max_attempts : int, at least 1
    backoff_s, max_backoff_s : float
        Rest after the first failure, doubled after each further one up to the maximum.
    """

    max_attempts: int = 3
    backoff_s: float = 0.2
    max_backoff_s: float = 30.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts is {self.max_attempts}: a task needs at least 1")

    def pause_s(self, attempts: int) -> float:
        """Seconds to rest after `attempts` failed attempts (at least one)."""
        return min(self.max_backoff_s, self.backoff_s * 2.0 ** min(attempts - 1, 60))


@dataclass(frozen=True)
class Reply:
    """What a worker sends back for one attempt: the record, or the cause of its failure in words.

    An exception itself does not travel: it may not unpickle at the other end.
    """

    record: Any = None
    cause: str | None = None
    details: str | None = None
    permanent: bool = False
    ends_worker: bool = False
    """Whether the process that replied is of no use any more, or died."""
    most_attempts: int | None = None
    """Where fewer are worth it than the retries allow."""


def start(setup: Callable[[], None] | None, retries: Retries | None = None) -> Reply:
    """Set up a worker, as often as `retries` allow where another attempt may do; the record is its name."""
    number, retries = 1, retries or Retries(max_attempts=1)
    while True:
        try:
            if setup is not None:
                setup()
        except Exception as error:
            if isinstance(error, PermanentError | DeviceFailure) or number >= retries.max_attempts:
                return Reply(cause=one_line(error))
        else:
            return Reply(record=worker_name())
        check_stopped()
        time.sleep(retries.pause_s(number))
        number += 1


def attempt(task: Task, number: int) -> Reply:
    """Run `task`; the one place that turns its exception into words. What is no Exception passes."""
    try:
        return Reply(record=task.run(number))
    except Exception as error:
        return Reply(
            cause=one_line(error),
            details=traceback.format_exc(),
            permanent=isinstance(error, PermanentError),
            ends_worker=isinstance(error, DeviceFailure),
        )


def refuse_end(task: Task, reply: Reply) -> None:
    """Raise ExecutorError if this very process, which nothing can replace, is of no use any more."""
    if reply.ends_worker:
        raise ExecutorError(f"{task.name}: {reply.cause}; run it again (--executor ray starts a fresh worker)")


def outcome(task: Task, number: int, worker: str, reply: Reply, retries: Retries) -> Outcome:
    """Judge the `number`-th attempt at `task`: done, to be retried, or failed for good."""
    if reply.cause is None:
        return Outcome(task, "done", number, worker, record=reply.record)
    most = min(retries.max_attempts, reply.most_attempts or retries.max_attempts)
    final = reply.permanent or number >= most
    error = f"{task.name}: {reply.cause} (attempt {number} of {max(most, number)}, worker {worker})"
    return Outcome(task, "failed" if final else "retried", number, worker, error=error, details=reply.details)


def one_line(error: BaseException) -> str:
    """Type and message of `error` on one line; the message alone where the type says nothing more."""
    message = " ".join(str(error).split())
    if isinstance(error, PermanentError | DeviceFailure) and message:
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@dataclass(frozen=True)
class WriteFailure:
    """The output cannot be written; other tasks that write there would fail alike."""

    message: str
