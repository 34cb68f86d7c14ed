"""What is shown of work: JSON for a machine, lines in a log, a picture on a terminal that redraws, or nothing.

A kind of job has one display, which puts its events into words and numbers. The screen that it is given decides what
becomes of them.
"""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text

from passband.jobs.common import events

_WINDOW_S = 60.0
Clock = Callable[[], float]
Lines = Sequence[str]


class Pace:
    """Lets something pass at most once every few seconds.

    Parameters
    ----------
    begun : whether the first one waits as well, counted from now
    clock : returns seconds
    """

    def __init__(self, every_s: float = 5.0, *, begun: bool = False, clock: Clock = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._last = clock() if begun else -math.inf

    def allows(self, now: bool = False) -> bool:
        """Tell whether the next one may pass, which then counts as the last; `now` lets it pass in any case."""
        moment = self._clock()
        allowed = now or moment - self._last >= self._every_s
        self._last = moment if allowed else self._last
        return allowed


class Rate:
    """How many things a second are done, over the last minute."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._points: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> None:
        """Enter how many are done now."""
        now = self._clock()
        self._points.append((now, done))
        while now - self._points[0][0] > _WINDOW_S and len(self._points) > 2:
            self._points.popleft()

    @property
    def per_s(self) -> float:
        """How many a second; 0 before there are two points."""
        if len(self._points) < 2:
            return 0.0
        # The first result waits for workers to come up; once there are two, it tells nothing of their speed.
        (start, first), (end, last) = self._points[1 if len(self._points) > 2 else 0], self._points[-1]
        return (last - first) / (end - start) if end > start else 0.0


def seconds_left(left: float, per_s: float) -> float | None:
    """Return the seconds until `left` things are done, to a tenth; None where no rate is known."""
    return round(left / per_s, 1) if per_s else None


def sentence(*parts: str) -> str:
    """Put parts on one line; empty ones are left out."""
    return " · ".join(filter(None, parts))


def some(number: int, what: str) -> str:
    """Return "2 failed", and nothing where there are none."""
    return f"{number} {what}" if number else ""


class Screen:
    """Shows nothing, and is what the other screens begin from."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def event(self, name: str, /, **values: Any) -> None:
        """Tell a machine what happened."""

    def say(self, line: str, style: str = "") -> None:
        """Tell a person something that stays."""

    def step(self, name: str) -> None:
        """Tell a person that a step begins, of which no more is told until it ends."""

    def show(
        self, line: str, *, now: bool = False, picture: Lines = (), kept: Lines = (), bar: tuple[int, int] | None = None
    ) -> None:
        """Tell a person how far it is; this holds until the next call.

        Parameters
        ----------
        line : for a log, and for a terminal without a `picture`; a log passes over an empty one
        now : whether a log writes it even if it wrote one a moment ago
        picture : for a terminal
        kept : what a terminal shows while a step runs, and leaves at the end
        bar : how much is done, and of how much, where a terminal draws a bar
        """


class JsonLines(Screen):
    """One JSON object a line on standard output; ``event`` names its kind, ``time`` says when."""

    def event(self, name: str, /, **values: Any) -> None:
        """Write the event."""
        events.say(name, **values)


class Log(Screen):
    """Plain lines on standard error; those that tell how far it is at most every few seconds."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def say(self, line: str, style: str = "") -> None:
        """Write the line."""
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def step(self, name: str) -> None:
        """Write its name."""
        self.say(name)

    def show(self, line: str, *, now: bool = False, **drawn: Any) -> None:
        """Write the line now and then."""
        if line and self._pace.allows(now):
            self.say(line)


class Picture(Screen):
    """Lines below a bar on standard error, redrawn in place; what stays scrolls by above them."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._kept: Lines = ()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()
        if self._kept:
            self.say(sentence(*self._kept))

    def say(self, line: str, style: str = "") -> None:
        """Print the line above the picture."""
        self._console.print(Text(line, style=style))

    def step(self, name: str) -> None:
        """Draw its name above what is kept."""
        self.show("", picture=[f"{name} ...", *self._kept])

    def show(
        self, line: str, *, now: bool = False, picture: Lines = (), kept: Lines = (), bar: tuple[int, int] | None = None
    ) -> None:
        """Redraw: a bar where there is one, then each of the lines, as many rows as it takes.

        A bar ends without a line feed; padded by nothing it gets one, so that it leaves the next line alone.
        """
        self._kept = kept or self._kept
        drawn = [] if bar is None else [Padding(ProgressBar(completed=bar[0], total=bar[1]), 0)]
        self._live.update(Group(*drawn, *map(Text, picture or [line])))


class OnScreen:
    """What the displays of all kinds of jobs begin from: they open and close their screen.

    Attributes
    ----------
    screen : where it shows things; nowhere unless one is given
    log_every_s : seconds between two lines of a log that tell how far it is
    log_waits : whether the first of them waits as long
    """

    screen = Screen()
    log_every_s = 5.0
    log_waits = False
    _planned = 0

    def __init__(self, screen: Screen | None = None) -> None:
        self.screen = screen or self.screen

    @classmethod
    def for_streams(cls, as_json: bool = False) -> Self:
        """Return the display for this standard output and error: JSON, or a picture on a terminal, or a log."""
        if as_json:
            return cls(JsonLines())
        return cls(Picture() if sys.stderr.isatty() else Log(Pace(cls.log_every_s, begun=cls.log_waits)))

    def __enter__(self) -> Self:
        self.screen.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.screen.__exit__(*error)

    def note(self, message: str) -> None:
        """Show what a person should know, and leave it there."""
        self.screen.event("note", message=message)
        self.screen.say(message)

    def planning(self, samples: int) -> None:
        """Show how many samples are listed, `samples` more than before."""
        self._planned += samples
        self.screen.event("planning", samples=self._planned)
        self.screen.show(f"planning: {self._planned:,} samples listed")
