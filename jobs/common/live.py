"""The picture on a terminal that redraws in place, as all live displays draw it."""

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.text import Text


class Picture:
    """Lines of text below a bar on standard error; what is said for good scrolls by above them."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, *lines: str, done: int = 0, total: int | None = None) -> None:
        """Redraw: a bar where there is a `total`, then each of the lines, as many rows as it takes.

        A bar ends without a line feed; padded by nothing it gets one, so that it leaves the next line alone.
        """
        bar = [] if total is None else [Padding(ProgressBar(total=total, completed=done), 0)]
        self._live.update(Group(*bar, *map(Text, lines)))

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self._console.print(Text(line, style=style))
