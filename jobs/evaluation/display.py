"""How an evaluation looks while it runs: a line that redraws, plain lines in a log, JSON lines for a machine."""

import math
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from passband.jobs.common import events
from passband.jobs.common.live import Picture
from passband.jobs.generation.display import sentence

_EVERY_S = 5.0


class Display(Protocol):
    """What a person or a machine sees of an evaluation."""

    def dataset(self, event: Mapping[str, Any]) -> None:
        """Tell what the child that makes missing datasets says."""

    def predicting(self, what: str, done: int, total: int) -> None:
        """Tell what is looked at now, and how many were before."""

    def note(self, message: str) -> None:
        """Tell what a person should know."""


class SilentDisplay:
    """Shows nothing; the default of the Python call."""

    def dataset(self, event: Mapping[str, Any]) -> None:
        """Show nothing."""

    def predicting(self, what: str, done: int, total: int) -> None:
        """Show nothing."""

    def note(self, message: str) -> None:
        """Show nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class JsonDisplay(SilentDisplay):
    """One JSON object a line on standard output; ``event`` names its kind."""

    def dataset(self, event: Mapping[str, Any]) -> None:
        """Pass on the event of the child."""
        self._say({"event": "dataset", "of": dict(event)})

    def predicting(self, what: str, done: int, total: int) -> None:
        """Say what is looked at."""
        self._say({"event": "predicting", "what": what, "done": done, "total": total})

    def note(self, message: str) -> None:
        """Say it."""
        self._say({"event": "note", "message": message})

    def _say(self, event: dict[str, Any]) -> None:
        events.write(event)


class _TextDisplay(SilentDisplay):
    """What the two for people share: the words."""

    _name = "datasets"

    def dataset(self, event: Mapping[str, Any]) -> None:
        """Say how far the making of a dataset is."""
        if event["event"] == "job":
            self._name = str(event["name"])
            self.passing(f"{self._name}: looking for it")
        elif event["event"] == "planning":
            self.passing(f"{self._name}: {event['samples']:,} samples listed")
        elif event["event"] == "progress":
            if event["message"]:
                self.lasting(f"{self._name}: {event['message']}")
            self.passing(f"making {self._name}: {sentence(dict(event))}")
        elif event["event"] == "step":
            self.passing(f"{self._name}: {event['step']}")

    def predicting(self, what: str, done: int, total: int) -> None:
        """Say what is looked at."""
        self.passing(f"evaluating {done + 1}/{total} · {what}")

    def note(self, message: str) -> None:
        """Say it, and leave it there."""
        self.lasting(message)

    def passing(self, line: str) -> None:
        """Show a line until the next one comes."""

    def lasting(self, line: str) -> None:
        """Show a line that stays."""


class PlainDisplay(_TextDisplay):
    """Plain lines on standard error; those that only tell how far it is at most every few seconds."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._evaluating = False

    def predicting(self, what: str, done: int, total: int) -> None:
        """Say what is looked at; the first one at once, however short ago the last word on datasets was."""
        if not self._evaluating:
            self._evaluating, self._last = True, -math.inf
        super().predicting(what, done, total)

    def passing(self, line: str) -> None:
        """Write a line now and then."""
        if time.monotonic() - self._last >= _EVERY_S:
            self._last = time.monotonic()
            self.lasting(line)

    def lasting(self, line: str) -> None:
        """Write a line."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class LiveDisplay(_TextDisplay):
    """One line that redraws in place."""

    def __init__(self) -> None:
        self._picture = Picture()

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._picture.__exit__(kind, error, trace)

    def passing(self, line: str) -> None:
        """Draw the line anew."""
        self._picture.show(line)

    def lasting(self, line: str) -> None:
        """Print above the line that redraws."""
        self._picture.say(line)


def choose_evaluation_display(as_json: bool) -> JsonDisplay | PlainDisplay | LiveDisplay:
    """Return the display for this standard output and error."""
    if as_json:
        return JsonDisplay()
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()
