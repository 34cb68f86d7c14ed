"""What is told once it has come about in a run: values for a machine, a sentence for a person, which stays."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from passband.jobs.common.screen import Screen


class Milestone(Protocol):
    """Something that may come about in a run; each display makes one of its own, which may remember what it saw."""

    def reached(self, state: Any) -> Mapping[str, Any] | None:
        """Return what JSON tells of it where it came about since the last call, else None.

        Parameters
        ----------
        state : what the display of this kind of job is given: a ledger, or a training
        """

    def words(self, values: Mapping[str, Any]) -> str:
        """Return those values as a sentence, on one line."""


class Milestones:
    """Those of one run.

    Parameters
    ----------
    known : name, which is that of the JSON event -> what makes it
    """

    def __init__(self, known: Mapping[str, Callable[[], Milestone]]) -> None:
        self._each = {name: make() for name, make in known.items()}

    def tell(self, screen: Screen, state: Any) -> None:
        """Show those that came about."""
        for name, milestone in self._each.items():
            values = milestone.reached(state)
            if values is not None:
                screen.event(name, **values)
                screen.say(milestone.words(values))
