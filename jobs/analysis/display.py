"""How an analysis looks while it runs: a line that redraws, plain lines in a log, JSON lines for a machine."""

import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self

from passband.jobs.common.wording import duration
from passband.jobs.evaluation import display as evaluation
from passband.jobs.generation.display import Rate

if TYPE_CHECKING:
    from passband.jobs.analysis.ledger import Ledger

_EVERY_S = 5.0


class Display(Protocol):
    """What a person or a machine sees of an analysis."""

    def planning(self, samples: int) -> None:
        """Tell that so many more samples were listed and hashed."""

    def step(self, name: str) -> None:
        """Tell that a step begins."""

    def note(self, message: str) -> None:
        """Tell what a person should know."""

    def started(self, ledger: "Ledger") -> None:
        """Tell what is planned, done already, and left."""

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Tell of an outcome; `message` where something went wrong."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *error: Any) -> None:
        """Show nothing more."""


class SilentDisplay(evaluation.SilentDisplay):
    """Shows nothing; the default of the Python call."""

    def planning(self, samples: int) -> None:
        """Show nothing."""

    def step(self, name: str) -> None:
        """Show nothing."""

    def started(self, ledger: "Ledger") -> None:
        """Show nothing."""

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Show nothing."""


class _Counting(SilentDisplay):
    """What the displays share: they count what is listed, and keep the rate."""

    planned = 0

    def __init__(self) -> None:
        super().__init__()
        self._rate = Rate()

    def _snapshot(self, ledger: "Ledger") -> dict[str, Any]:
        """Return the numbers of a run as all displays show them."""
        images, done = ledger.envelope.samples, ledger.frequencies_done
        self._rate.add(done * images)
        per_s, left = self._rate.per_s, (ledger.frequencies - done) * images
        return {
            "frequencies": ledger.frequencies,
            "done": done,
            "failed": len(ledger.failed),
            "retried": ledger.retried,
            "images_per_s": round(per_s, 1),
            "eta_s": round(left / per_s, 1) if per_s else None,
        }


class StepDisplay(_Counting):
    """Passes on how far it is, now and then: for what an analysis is one step of."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say, self._last = say, -math.inf

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Tell of a block, unless another was told of a moment ago."""
        found = self._snapshot(ledger)
        if message or time.monotonic() - self._last >= _EVERY_S:
            self._last = time.monotonic()
            eta = "" if found["eta_s"] is None else f", ETA {duration(found['eta_s'])}"
            self._say(message or f"{found['done']:,}/{found['frequencies']:,} frequencies{eta}")


class JsonDisplay(_Counting, evaluation.JsonDisplay):
    """One JSON object a line on standard output; ``event`` names its kind."""

    def planning(self, samples: int) -> None:
        """Say how many samples are listed."""
        self.planned += samples
        self._say({"event": "planning", "samples": self.planned})

    def step(self, name: str) -> None:
        """Say which step begins."""
        self._say({"event": "step", "step": name})

    def started(self, ledger: "Ledger") -> None:
        """Say what is planned and what was found done."""
        self._say({"event": "started", "identity": ledger.envelope.identity, **self._snapshot(ledger)})

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Say what became of a block."""
        self._say({"event": "progress", "message": message, **self._snapshot(ledger)})


class _Words(_Counting):
    """What the two for people share: the words."""

    def planning(self, samples: int) -> None:
        """Say how many samples are listed."""
        self.planned += samples
        self.passing(f"planning: {self.planned:,} samples listed")

    def step(self, name: str) -> None:
        """Say which step begins."""
        self.passing(name)

    def started(self, ledger: "Ledger") -> None:
        """Say what is planned and what was found done."""
        self._snapshot(ledger)
        self.lasting(headline(ledger))

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Say what went wrong, and how far it is."""
        if message:
            self.lasting(message)
        now = self._snapshot(ledger)
        say = self.lasting if now["done"] == now["frequencies"] else self.passing
        say(sentence(now))

    def passing(self, line: str) -> None:
        """Show a line until the next one comes."""
        super().passing(line)  # type: ignore[misc]  # of the display that this is mixed into

    def lasting(self, line: str) -> None:
        """Show a line that stays."""
        super().lasting(line)  # type: ignore[misc]


class PlainDisplay(_Words, evaluation.PlainDisplay):
    """Plain lines on standard error; those that only tell how far it is at most every few seconds."""


class LiveDisplay(_Words, evaluation.LiveDisplay):
    """One line that redraws in place."""


def headline(ledger: "Ledger") -> str:
    """Spell what a run is about to do."""
    found = f", {ledger.found:,} done before" if ledger.found else ""
    return (
        f"{ledger.envelope.job['name']}: {ledger.frequencies:,} frequencies of {' and '.join(ledger.maps)}, "
        f"{ledger.envelope.samples:,} images each{found}"
    )


def sentence(now: dict[str, Any]) -> str:
    """Spell a snapshot on one line, what matters most first."""
    return " · ".join(
        [
            f"{now['done']:,}/{now['frequencies']:,} frequencies",
            f"ETA {duration(now['eta_s'])}",
            *([f"{now['failed']} failed"] if now["failed"] else []),
            *([f"{now['retried']} retried"] if now["retried"] else []),
            f"{now['images_per_s']:,.0f} images/s",
        ]
    )


def choose_analysis_display(as_json: bool) -> JsonDisplay | PlainDisplay | LiveDisplay:
    """Return the display for this standard output and error."""
    if as_json:
        return JsonDisplay()
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()
