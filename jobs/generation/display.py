"""What is shown of a generation."""

from collections.abc import Callable
from typing import Any, Protocol

from passband.jobs.common.milestones import Milestone, Milestones
from passband.jobs.common.screen import OnScreen, Rate, Screen, seconds_left, sentence, some
from passband.jobs.common.wording import duration
from passband.jobs.dataset.progress import shards_made
from passband.jobs.generation.ledger import Ledger

MILESTONES: dict[str, Callable[[], Milestone]] = {}
"""Event -> what tells it once it came about, of the ledger after each outcome; for those that add one."""


class Display(Protocol):
    """What a person or a machine sees of a run; a display that inherits from it defines only what it shows."""

    def planning(self, samples: int) -> None:
        """Tell that so many more samples were listed and hashed."""
        return

    def started(self, ledger: Ledger) -> None:
        """Tell what is planned, done already, and left."""
        return

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Tell of an outcome; `message` where something went wrong."""
        return

    def step(self, name: str) -> None:
        """Tell that a step before the first shard or after the last one begins."""
        return


class SilentDisplay(OnScreen, Display):
    """Shows nothing; the default of the Python call."""


class GenerationDisplay(SilentDisplay):
    """Shows a run on `screen`."""

    log_waits = True

    def __init__(self, screen: Screen | None = None) -> None:
        super().__init__(screen)
        self._rate, self._milestones = Rate(), Milestones(MILESTONES)

    def started(self, ledger: Ledger) -> None:
        """Show what is planned and what was found done."""
        state = snapshot(ledger, self._rate)
        self.screen.event("started", identity=ledger.blueprint.identity, warnings=ledger.warnings, **state)
        for warning in ledger.warnings:
            self.screen.say(f"warning: {warning}", "yellow")
        self.screen.say(title(ledger))
        self._show("", state)

    def event(self, ledger: Ledger, message: str | None) -> None:
        """Show what went wrong and how far it is."""
        state = snapshot(ledger, self._rate)
        self.screen.event("progress", message=message, **state)
        if message:
            self.screen.say(message, "yellow")
        self._show(shards_made(state), state)
        self._milestones.tell(self.screen, ledger)

    def step(self, name: str) -> None:
        """Show which step begins."""
        self.screen.event("step", step=name)
        self.screen.step(name)

    def _show(self, line: str, state: dict[str, Any]) -> None:
        counts = sentence(
            f"{state['done']}/{state['shards']} shards",
            f"{state['failed']} failed",
            f"{state['retried']} retried",
            some(state["bad_images"], "bad images"),
        )
        speed = f"{state['samples_per_s']:,.0f} samples/s · {state['views_per_s']:,.0f} views/s"
        self.screen.show(
            line,
            now=state["done"] + state["failed"] == state["shards"],
            picture=(counts, f"{speed} · ETA {duration(state['eta_s'])}"),
            kept=(counts, speed),
            bar=(state["samples_done"], state["samples"]),
        )


def snapshot(ledger: Ledger, rate: Rate) -> dict[str, Any]:
    """Return how far a run is, in numbers, and enter it into `rate`."""
    blueprint = ledger.blueprint
    done = ledger.samples + len(ledger.bad)
    rate.add(done)
    return {
        "shards": blueprint.shards,
        "done": len(ledger.done),
        "failed": len(ledger.failed),
        "retried": ledger.retried,
        "samples": blueprint.samples,
        "samples_done": done,
        "bad_images": len(ledger.bad),
        "samples_per_s": round(rate.per_s, 1),
        "views_per_s": round(rate.per_s * len(blueprint.views()), 1),
        "eta_s": seconds_left(blueprint.samples - done, rate.per_s),
    }


def title(ledger: Ledger) -> str:
    """Spell what a run is about to do."""
    blueprint = ledger.blueprint
    resumed = f", {len(ledger.done)} done before" if ledger.done else ""
    return (
        f"{blueprint.job.name}: {blueprint.samples:,} samples x {len(blueprint.views())} views "
        f"in {blueprint.shards} shards{resumed}"
    )
