"""What is shown of a benchmark, always on standard error."""

from passband.jobs.common.screen import OnScreen, Rate, Screen
from passband.jobs.common.wording import duration


class BenchDisplay(OnScreen):
    """Shows each part of the work on `screen`, with the case that was run last."""

    log_every_s = 10.0

    def __init__(self, screen: Screen | None = None) -> None:
        super().__init__(screen)
        self.name, self.done = "", 0
        self._total, self._rate = 0, Rate()

    def step(self, name: str, total: int) -> None:
        """Show which part begins, of so many runs."""
        self.name, self.done, self._total, self._rate = name, 0, total, Rate()
        self._show(f"{name}: {total:,} runs", "", now=True)

    def advance(self, name: str) -> None:
        """Show that one more run is done."""
        self.done += 1
        self._show(f"{self.name}: {self.done:,}/{self._total:,} ({name})", f" · {name}")

    def _show(self, line: str, case: str, now: bool = False) -> None:
        self._rate.add(self.done)
        left = (self._total - self.done) / self._rate.per_s if self._rate.per_s else None
        drawn = f"{self.name} {self.done:,}/{self._total:,} · ETA {duration(left)}{case}"
        self.screen.show(line, now=now, picture=[drawn], bar=(self.done, self._total))
