"""What is shown of a reproduction."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from passband.jobs.common.screen import OnScreen, sentence, some
from passband.jobs.common.wording import duration
from passband.jobs.reproduce.ledger import Ledger


class Display(Protocol):
    """What a person or a machine sees of a run; a display that inherits from it defines only what it shows."""

    def dataset(self, ledger: Ledger, name: str, event: Mapping[str, Any]) -> None:
        """Tell what the child that makes a dataset says."""
        return

    def begun(self, ledger: Ledger, name: str) -> None:
        """Tell that a node is at work."""
        return

    def finished(self, ledger: Ledger, name: str) -> None:
        """Tell that a node is there."""
        return

    def failed(self, ledger: Ledger, name: str) -> None:
        """Tell that a node failed."""
        return

    def tick(self, ledger: Ledger) -> None:
        """Tell how far it is, every second or so."""
        return


class SilentDisplay(OnScreen, Display):
    """Shows nothing; the default of the Python call."""


class ReproductionDisplay(SilentDisplay):
    """Shows a reproduction on `screen`."""

    log_every_s = 10.0

    def dataset(self, ledger: Ledger, name: str, event: Mapping[str, Any]) -> None:
        """Show which dataset is made."""
        self.tick(ledger)

    def begun(self, ledger: Ledger, name: str) -> None:
        """Show what is at work; a log tells it when it tells how far it is."""
        self.screen.event("begun", node=name)
        self._show(ledger, "")

    def finished(self, ledger: Ledger, name: str) -> None:
        """Show which node is there, and how far it is."""
        found, seconds = name in ledger.found, ledger.ran.get(name)
        self.screen.event("done", node=name, was_there=found, seconds=seconds, **snapshot(ledger))
        self._show(ledger, progress(ledger), now=not ledger.left)

    def failed(self, ledger: Ledger, name: str) -> None:
        """Show which node failed, and why."""
        self.screen.event("failed", node=name, message=ledger.failed[name])
        self.screen.say(f"{name} failed: {ledger.failed[name]}", "yellow")
        self._show(ledger, "")

    def tick(self, ledger: Ledger) -> None:
        """Show how far it is."""
        self._show(ledger, progress(ledger))

    def _show(self, ledger: Ledger, line: str, now: bool = False) -> None:
        moment = time.monotonic()
        running = (f"{name}, for {duration(moment - begun)}" for name, begun in ledger.running.items())
        picture = [progress(ledger), *running]
        self.screen.show(line, now=now, picture=picture, bar=(len(ledger.made), len(ledger.graph)))


def snapshot(ledger: Ledger) -> dict[str, Any]:
    """Return how far a run is, in numbers."""
    return {
        "nodes": len(ledger.graph),
        "done": len(ledger.made),
        "found": len(ledger.found),
        "running": len(ledger.running),
        "failed": len(ledger.failed),
        "eta_s": round(ledger.seconds_left(), 1),
    }


def progress(ledger: Ledger) -> str:
    """Spell how far a run is on one line."""
    state = snapshot(ledger)
    running = next(iter(ledger.running), "")
    return sentence(
        f"{state['done']}/{state['nodes']} jobs",
        some(state["found"], "done before"),
        some(state["failed"], "failed"),
        f"ETA {duration(state['eta_s'])}",
        f"now {running}" if running else "",
    )
