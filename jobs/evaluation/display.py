"""What is shown of an evaluation, and of the datasets that a job waits for."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from passband.jobs.common.screen import OnScreen
from passband.jobs.dataset.progress import shards_made

Event = Mapping[str, Any]
_OF_A_DATASET: dict[str, Callable[[str, Event], str]] = {
    "job": lambda name, event: f"{name}: looking for it",
    "planning": lambda name, event: f"{name}: {event['samples']:,} samples listed",
    "progress": lambda name, event: f"making {name}: {shards_made(event)}",
    "step": lambda name, event: f"{name}: {event['step']}",
}
"""What the child that makes datasets says, in words."""


class Display(Protocol):
    """What a person or a machine sees of an evaluation; a display that inherits from it defines only what it shows."""

    def dataset(self, event: Event) -> None:
        """Tell what the child that makes missing datasets says."""
        return

    def predicting(self, what: str, done: int, total: int) -> None:
        """Tell what is looked at now, and how many were before."""
        return

    def note(self, message: str) -> None:
        """Tell what a person should know."""
        return


class SilentDisplay(OnScreen, Display):
    """Shows nothing; the default of the Python call."""


class EvaluationDisplay(SilentDisplay):
    """Shows an evaluation on `screen`."""

    _dataset, _predicting = "datasets", False

    def dataset(self, event: Event) -> None:
        """Show how far the making of a dataset is."""
        kind = event["event"]
        self.screen.event("dataset", of=dict(event))
        if kind == "job":
            self._dataset = str(event["name"])
        if kind == "progress" and event["message"]:
            self.screen.say(f"{self._dataset}: {event['message']}")
        if kind in _OF_A_DATASET:
            self.screen.show(_OF_A_DATASET[kind](self._dataset, event))

    def predicting(self, what: str, done: int, total: int) -> None:
        """Show what is looked at; the first one at once, however short ago the last word on datasets was."""
        self.screen.event("predicting", what=what, done=done, total=total)
        self.screen.show(f"evaluating {done + 1}/{total} · {what}", now=not self._predicting)
        self._predicting = True
