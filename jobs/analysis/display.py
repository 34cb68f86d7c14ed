"""What is shown of an analysis."""

from collections.abc import Callable
from typing import Any, Protocol, Self

from passband.jobs.analysis.ledger import Ledger
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.common.screen import OnScreen, Pace, Rate, Screen, seconds_left, sentence, some
from passband.jobs.common.wording import duration


class Display(Protocol):
    """What a person or a machine sees of an analysis; a display that inherits from it defines only what it shows."""

    def planning(self, samples: int) -> None:
        """Tell that so many more samples were listed and hashed."""
        return

    def step(self, name: str) -> None:
        """Tell that a step begins."""
        return

    def note(self, message: str) -> None:
        """Tell what a person should know."""
        return

    def started(self, ledger: Ledger) -> None:
        """Tell what is planned, done already, and left."""
        return

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Tell of an outcome; `message` where something went wrong."""
        return

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *error: Any) -> None:
        """Show nothing more."""


class SilentDisplay(OnScreen, Display):
    """Shows nothing; the default of the Python call."""


class StepDisplay(SilentDisplay):
    """Passes on how far it is, now and then: for what an analysis is one step of."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say, self._pace, self._rate = say, Pace(), Rate()

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Tell of a block, unless another was told of a moment ago."""
        state = snapshot(ledger, self._rate)
        if self._pace.allows(now=bool(message)):
            eta = "" if state["eta_s"] is None else f", ETA {duration(state['eta_s'])}"
            self._say(message or f"{_counted(state, _noun(ledger))}{eta}")


class AnalysisDisplay(SilentDisplay):
    """Shows an analysis on `screen`."""

    def __init__(self, screen: Screen | None = None) -> None:
        super().__init__(screen)
        self._rate = Rate()

    def step(self, name: str) -> None:
        """Show which step begins."""
        self.screen.event("step", step=name)
        self.screen.show(name)

    def started(self, ledger: Ledger) -> None:
        """Show what is planned and what was found done."""
        self.screen.event("started", identity=ledger.envelope.identity, **snapshot(ledger, self._rate))
        self.screen.say(title(ledger))

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Show what went wrong, and how far it is; the end stays."""
        state = snapshot(ledger, self._rate)
        self.screen.event("progress", message=message, **state)
        if message:
            self.screen.say(message)
        show = self.screen.say if state["done"] == ledger.items else self.screen.show
        show(progress(state, _noun(ledger)))


def snapshot(ledger: Ledger, rate: Rate) -> dict[str, Any]:
    """Return how far an analysis is, in numbers, and enter it into `rate`."""
    images, done = _images_an_item(ledger), ledger.items_done
    rate.add(done * images)
    return {
        _noun(ledger): ledger.items,
        "done": done,
        "failed": len(ledger.failed),
        "retried": ledger.retried,
        "images_per_s": round(rate.per_s, 1),
        "eta_s": seconds_left((ledger.items - done) * images, rate.per_s),
    }


def title(ledger: Ledger) -> str:
    """Spell what an analysis is about to do."""
    found = f", {ledger.found:,} done before" if ledger.found else ""
    images = f", {ledger.envelope.samples:,} images each" if STUDIES[ledger.envelope.what].looks_at_all else ""
    parts = " and ".join(ledger.envelope.sizes)
    return f"{ledger.envelope.job['name']}: {ledger.items:,} {_noun(ledger)} of {parts}{images}{found}"


def _noun(ledger: Ledger) -> str:
    return STUDIES[ledger.envelope.what].noun


def _images_an_item(ledger: Ledger) -> int:
    return ledger.envelope.samples if STUDIES[ledger.envelope.what].looks_at_all else 1


def _counted(state: dict[str, Any], noun: str) -> str:
    return f"{state['done']:,}/{state[noun]:,} {noun}"


def progress(state: dict[str, Any], noun: str) -> str:
    """Spell a snapshot on one line, what matters most first."""
    return sentence(
        _counted(state, noun),
        f"ETA {duration(state['eta_s'])}",
        some(state["failed"], "failed"),
        some(state["retried"], "retried"),
        f"{state['images_per_s']:,.0f} images/s",
    )
