"""How a benchmark looks while it runs: a bar on a terminal, plain lines in a log; always on standard error."""

import sys
import time
from types import TracebackType
from typing import Self

from passband.jobs.common.live import Picture
from passband.jobs.common.wording import duration
from passband.jobs.generation.display import Rate

_EVERY_S = 10.0


class Bar:
    """A bar for each part of the work, with the case that is under way."""

    def __init__(self) -> None:
        self._picture = Picture()
        self._name, self._total, self._done, self._rate = "", 0, 0, Rate()

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._picture.__exit__(kind, error, trace)

    def step(self, name: str, total: int) -> None:
        """Begin a bar."""
        self._name, self._total, self._done, self._rate = name, total, 0, Rate()
        self._draw("")

    def advance(self, name: str) -> None:
        """Move the bar by one run."""
        self._done += 1
        self._draw(name)

    def _draw(self, case: str) -> None:
        self._rate.add(self._done)
        left = (self._total - self._done) / self._rate.per_s if self._rate.per_s else None
        line = f"{self._name} {self._done:,}/{self._total:,} · ETA {duration(left)}"
        self._picture.show(f"{line} · {case}" if case else line, done=self._done, total=self._total)


class Lines:
    """A line when a part of the work begins, and now and then how far it is."""

    def __init__(self) -> None:
        self._name, self._total, self._done, self._last = "", 0, 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, name: str, total: int) -> None:
        """Say what begins."""
        self._name, self._total, self._done, self._last = name, total, 0, time.monotonic()
        sys.stderr.write(f"{name}: {total:,} runs\n")
        sys.stderr.flush()

    def advance(self, name: str) -> None:
        """Say how far it is, unless that was said a moment ago."""
        self._done += 1
        now = time.monotonic()
        if now - self._last >= _EVERY_S:
            self._last = now
            sys.stderr.write(f"{self._name}: {self._done:,}/{self._total:,} ({name})\n")
            sys.stderr.flush()


def choose_progress() -> Bar | Lines:
    """Return the display for this standard error."""
    return Bar() if sys.stderr.isatty() else Lines()
