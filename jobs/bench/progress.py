"""How a benchmark looks while it runs: a bar on a terminal, plain lines in a log; always on standard error."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

_EVERY_S = 10.0


class Bar:
    """A bar for each part of the work, with the case that is under way."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(12), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(
            *columns, TextColumn("{task.fields[case]}"), console=Console(stderr=True), transient=True
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, name: str, total: int) -> None:
        """Begin a bar."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total, case="")

    def advance(self, name: str) -> None:
        """Move the bar by one run."""
        assert self._task is not None, "a step begins before a run is done"
        self._progress.update(self._task, advance=1, case=name)


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
