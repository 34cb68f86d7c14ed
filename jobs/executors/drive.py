"""The one loop over outcomes that all kinds of spread work share, and the books that it keeps.

It stands here and not in `jobs/common/`, which may not know executors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from passband.jobs.executors.base import Executor, Outcome, Task, WriteFailure
from passband.pipeline.errors import OutputError

Place = TypeVar("Place")
Record = TypeVar("Record")


@dataclass(kw_only=True)
class Ledger(ABC, Generic[Place, Record]):
    """What of a job's parts is done, left and failed; each kind of job adds what it counts.

    Attributes
    ----------
    places : all parts of the job, in order
    budget : failed parts that the job allows before it begins no further one
    done : place -> record
    failed : place -> what happened
    retried : attempts that failed and were followed by another
    """

    places: Sequence[Place]
    budget: int
    done: dict[Place, Record] = field(default_factory=dict)
    failed: dict[Place, str] = field(default_factory=dict)
    retried: int = 0

    @abstractmethod
    def place_of(self, task: Any) -> Place:
        """Return the part that a task makes."""

    @abstractmethod
    def raise_failed(self) -> None:
        """Raise a PassbandError that names each part that failed for good with its cause, if any did."""

    def pending(self) -> Iterator[Place]:
        """Yield the parts that are neither done nor failed, in order."""
        return (place for place in self.places if place not in self.done and place not in self.failed)

    def add(self, outcome: Outcome) -> None:
        """Enter what became of an attempt."""
        place = self.place_of(outcome.task)
        if outcome.kind == "done":
            self.done[place] = outcome.record
        elif outcome.kind == "failed":
            self.failed[place] = outcome.error or "failed"
        else:
            self.retried += 1

    def check_budgets(self) -> None:
        """Raise if more failed than the job allows."""
        if len(self.failed) > self.budget:
            self.raise_failed()


def drive(
    opening: AbstractContextManager[Executor],
    tasks: Iterable[Task],
    ledger: Ledger[Any, Any],
    tell: Callable[[Outcome], None],
    checkpoint: Callable[[], None],
) -> None:
    """Run tasks to their end, and enter every outcome into the ledger.

    Parameters
    ----------
    opening : opens the executor
    tell : told of every outcome once it is entered
    checkpoint : called after that; what it raises ends the run cleanly

    Raises
    ------
    OutputError
        If the output cannot be written.
    PassbandError
        If more failed than the job allows, or the executor cannot go on.
    """
    with opening as executor, closing(executor.run(tasks)) as outcomes:
        for outcome in outcomes:
            if isinstance(outcome.record, WriteFailure):
                raise OutputError(outcome.record.message)
            ledger.add(outcome)
            tell(outcome)
            ledger.check_budgets()
            checkpoint()
