"""How a reproduction looks: a live picture on a terminal, plain lines in a log, JSON lines for a machine."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from passband.jobs.common import events
from passband.jobs.common.live import Picture
from passband.jobs.common.wording import duration
from passband.jobs.reproduce.ledger import Ledger

_EVERY_S = 10.0


class SilentDisplay:
    """Shows nothing; the default of the Python call, and what the other displays begin from."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def dataset(self, ledger: Ledger, name: str, event: Mapping[str, Any]) -> None:
        """Show nothing."""

    def begun(self, ledger: Ledger, name: str) -> None:
        """Show nothing."""

    def finished(self, ledger: Ledger, name: str) -> None:
        """Show nothing."""

    def failed(self, ledger: Ledger, name: str) -> None:
        """Show nothing."""

    def tick(self, ledger: Ledger) -> None:
        """Show nothing."""


class JsonDisplay(SilentDisplay):
    """One JSON object a line on standard output; ``event`` names its kind."""

    def begun(self, ledger: Ledger, name: str) -> None:
        """Say which node is at work."""
        self._say("begun", node=name)

    def finished(self, ledger: Ledger, name: str) -> None:
        """Say which node is there, and how far it is."""
        self._say("done", node=name, was_there=name in ledger.found, seconds=ledger.ran.get(name), **snapshot(ledger))

    def failed(self, ledger: Ledger, name: str) -> None:
        """Say which node failed, and why."""
        self._say("failed", node=name, message=ledger.failed[name])

    def _say(self, event: str, **values: Any) -> None:
        events.say(event, **values)


class PlainDisplay(SilentDisplay):
    """Plain lines on standard error: what fails at once, and how far it is every few seconds."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._last = -every_s

    def dataset(self, ledger: Ledger, name: str, event: Mapping[str, Any]) -> None:
        """Say now and then which dataset is made."""
        self.tick(ledger)

    def failed(self, ledger: Ledger, name: str) -> None:
        """Say which node failed, and why."""
        self._say(f"{name} failed: {ledger.failed[name]}")

    def finished(self, ledger: Ledger, name: str) -> None:
        """Say at once when everything is done."""
        if not ledger.left:
            self._say(sentence(ledger))
        else:
            self.tick(ledger)

    def tick(self, ledger: Ledger) -> None:
        """Say now and then how far it is."""
        if time.monotonic() - self._last >= self._every_s:
            self._last = time.monotonic()
            self._say(sentence(ledger))

    def _say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


class LiveDisplay(SilentDisplay):
    """A bar, numbers, and what is at work, redrawn in place; failures scroll by above them."""

    def __init__(self) -> None:
        self._picture = Picture()

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._picture.__exit__(kind, error, trace)

    def dataset(self, ledger: Ledger, name: str, event: Mapping[str, Any]) -> None:
        """Show which dataset is made."""
        self.tick(ledger)

    def begun(self, ledger: Ledger, name: str) -> None:
        """Show what is at work."""
        self.tick(ledger)

    def finished(self, ledger: Ledger, name: str) -> None:
        """Show how far it is."""
        self.tick(ledger)

    def failed(self, ledger: Ledger, name: str) -> None:
        """Show which node failed, and why."""
        self._picture.say(f"{name} failed: {ledger.failed[name]}", "yellow")
        self.tick(ledger)

    def tick(self, ledger: Ledger) -> None:
        """Redraw."""
        now, at_work = snapshot(ledger), time.monotonic()
        names = (f"{name}, for {duration(at_work - begun)}" for name, begun in ledger.running.items())
        self._picture.show(sentence(ledger), *names, done=now["done"], total=now["nodes"])


def snapshot(ledger: Ledger) -> dict[str, Any]:
    """Return how far a run is, as all displays show it."""
    return {
        "nodes": len(ledger.graph),
        "done": len(ledger.made),
        "found": len(ledger.found),
        "running": len(ledger.running),
        "failed": len(ledger.failed),
        "eta_s": round(ledger.seconds_left(), 1),
    }


def sentence(ledger: Ledger) -> str:
    """Spell how far a run is on one line."""
    now = snapshot(ledger)
    running = next(iter(ledger.running), "")
    return " · ".join(
        [
            f"{now['done']}/{now['nodes']} jobs",
            *([f"{now['found']} done before"] if now["found"] else []),
            *([f"{now['failed']} failed"] if now["failed"] else []),
            f"ETA {duration(now['eta_s'])}",
            *([f"now {running}"] if running else []),
        ]
    )


def choose_reproduction_display(as_json: bool) -> SilentDisplay:
    """Return the display for this standard output and error."""
    if as_json:
        return JsonDisplay()
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()
