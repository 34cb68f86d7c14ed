"""How a run looks: a live picture on a terminal, plain lines in a log, JSON lines for a machine."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from passband.jobs.common import events
from passband.jobs.common.live import Picture
from passband.jobs.common.wording import duration

if TYPE_CHECKING:
    from passband.jobs.generation.ledger import Ledger

_WINDOW_S = 60.0


class Rate:
    """Samples a second over the last minute, and what is left at that rate."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def add(self, samples: int) -> None:
        """Enter how many samples are done now."""
        now = time.monotonic()
        self._points.append((now, samples))
        while now - self._points[0][0] > _WINDOW_S and len(self._points) > 2:
            self._points.popleft()

    @property
    def per_s(self) -> float:
        """Samples a second; 0 before there are two points."""
        if len(self._points) < 2:
            return 0.0
        # The first shard waits for workers to come up; once there are two, it tells nothing of their speed.
        (start, first), (end, last) = self._points[1 if len(self._points) > 2 else 0], self._points[-1]
        return (last - first) / (end - start) if end > start else 0.0


def snapshot(ledger: "Ledger", rate: Rate) -> dict[str, Any]:
    """Return the numbers of a run as all three displays show them."""
    blueprint = ledger.blueprint
    done = ledger.samples + len(ledger.bad)
    left = blueprint.samples - done
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
        "eta_s": round(left / rate.per_s, 1) if rate.per_s else None,
    }


def sentence(state: dict[str, Any]) -> str:
    """Spell a snapshot on one line of at most about 100 characters."""
    parts = [
        f"shards {state['done']}/{state['shards']}",
        *([f"{state['failed']} failed"] if state["failed"] else []),
        *([f"{state['retried']} retried"] if state["retried"] else []),
        *([f"{state['bad_images']} bad images"] if state["bad_images"] else []),
        f"{state['samples_per_s']:,.0f} samples/s",
        f"{state['views_per_s']:,.0f} views/s",
        f"ETA {duration(state['eta_s'])}",
    ]
    return " · ".join(parts)


class _Base:
    """What the displays share: they are context managers and keep the rate."""

    def __init__(self) -> None:
        self.rate = Rate()
        self.planned = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def _enter_progress(self, ledger: "Ledger") -> dict[str, Any]:
        self.rate.add(ledger.samples + len(ledger.bad))
        return snapshot(ledger, self.rate)


class JsonDisplay(_Base):
    """One JSON object a line on standard output; ``event`` names its kind."""

    def planning(self, samples: int) -> None:
        """Say how many samples are listed."""
        self.planned += samples
        self._say("planning", samples=self.planned)

    def started(self, ledger: "Ledger") -> None:
        """Say what is planned and what was found done."""
        state = self._enter_progress(ledger)
        self._say("started", identity=ledger.blueprint.identity, warnings=ledger.warnings, **state)

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Say what became of a task."""
        self._say("progress", message=message, **self._enter_progress(ledger))

    def step(self, name: str) -> None:
        """Say which step begins."""
        self._say("step", step=name)

    def _say(self, event: str, **values: Any) -> None:
        events.say(event, **values)


class PlainDisplay(_Base):
    """Plain lines on standard error, at most one every few seconds beside those that tell of trouble."""

    def __init__(self, every_s: float = 5.0) -> None:
        super().__init__()
        self._every_s = every_s
        self._last = time.monotonic()

    def planning(self, samples: int) -> None:
        """Say now and then how many samples are listed."""
        self.planned += samples
        if self._due():
            self._say(f"planning: {self.planned:,} samples listed")

    def started(self, ledger: "Ledger") -> None:
        """Say what is planned and what was found done."""
        state = self._enter_progress(ledger)
        for warning in ledger.warnings:
            self._say(f"warning: {warning}")
        self._say(started_line(ledger, state))

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Say what went wrong, and now and then how far it is."""
        state = self._enter_progress(ledger)
        if message:
            self._say(message)
        if self._due() or state["done"] + state["failed"] == state["shards"]:
            self._say(sentence(state))

    def step(self, name: str) -> None:
        """Say which step begins."""
        self._say(name)

    def _due(self) -> bool:
        now = time.monotonic()
        due = now - self._last >= self._every_s
        self._last = now if due else self._last
        return due

    def _say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def started_line(ledger: "Ledger", state: dict[str, Any]) -> str:
    """Spell what a run is about to do."""
    views = len(ledger.blueprint.views())
    resumed = f", {state['done']} done before" if state["done"] else ""
    return (
        f"{ledger.blueprint.job.name}: {state['samples']:,} samples x {views} views "
        f"in {state['shards']} shards{resumed}"
    )


class LiveDisplay(_Base):
    """A bar and two lines of numbers that redraw in place; trouble scrolls by above them."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = Picture()
        self._counts: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._picture.__exit__(kind, error, trace)
        if self._counts:
            self._picture.say(" · ".join(self._counts))

    def planning(self, samples: int) -> None:
        """Show how many samples are listed."""
        self.planned += samples
        self._picture.show(f"planning: {self.planned:,} samples listed")

    def started(self, ledger: "Ledger") -> None:
        """Show what is planned and what was found done."""
        state = self._enter_progress(ledger)
        for warning in ledger.warnings:
            self._picture.say(f"warning: {warning}", "yellow")
        self._picture.say(started_line(ledger, state))
        self._draw(state)

    def event(self, ledger: "Ledger", message: str | None) -> None:
        """Show what went wrong and how far it is."""
        if message:
            self._picture.say(message, "yellow")
        self._draw(self._enter_progress(ledger))

    def step(self, name: str) -> None:
        """Show which step runs, and how far it was before."""
        self._picture.show(f"{name} ...", *self._counts)

    def _draw(self, state: dict[str, Any]) -> None:
        counts = f"{state['done']}/{state['shards']} shards"
        trouble = f" · {state['failed']} failed · {state['retried']} retried"
        bad = f" · {state['bad_images']} bad images" if state["bad_images"] else ""
        speed = f"{state['samples_per_s']:,.0f} samples/s · {state['views_per_s']:,.0f} views/s"
        self._counts = (counts + trouble + bad, speed)
        self._picture.show(
            self._counts[0],
            f"{speed} · ETA {duration(state['eta_s'])}",
            done=state["samples_done"],
            total=state["samples"],
        )


def choose_display(as_json: bool) -> JsonDisplay | PlainDisplay | LiveDisplay:
    """Return the display for this standard output and error."""
    if as_json:
        return JsonDisplay()
    return LiveDisplay() if sys.stderr.isatty() else PlainDisplay()
