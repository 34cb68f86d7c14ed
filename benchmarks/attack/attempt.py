"""One attempt, what came of it, and the count of all."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from passband.pipeline.errors import PassbandError

SAME, REFUSED, MENDED = "same", "refused", "mended"
WRONG, TRACEBACK, HUNG = "wrong", "traceback", "hung"
FAILURES = (WRONG, TRACEBACK, HUNG)
DEADLINE_S = 120.0
"""Generous: a hang is a hang beside busy processes too."""


@dataclass(frozen=True)
class Attempt:
    """What was done to what, who looked at it, and what came of it.

    Attributes
    ----------
    kind : the class of the attack
    target : what was attacked, a file for example
    action : what was done, spelled so that it can be done again
    reader : the part of the product that looked at it
    verdict : same, refused, mended; wrong, traceback, hung
    told : what the product said, its first line
    """

    kind: str
    target: str
    action: str
    reader: str
    verdict: str
    told: str = ""

    @property
    def failed(self) -> bool:
        """Whether the product did not stand."""
        return self.verdict in FAILURES


@dataclass
class Tally:
    """All attempts of a run, counted as they come."""

    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    failures: list[Attempt] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def add(self, attempt: Attempt) -> None:
        """Count an attempt, and keep it if it failed."""
        self.counts.setdefault((attempt.kind, attempt.reader), Counter())[attempt.verdict] += 1
        if attempt.failed:
            self.failures.append(attempt)

    @property
    def attempts(self) -> int:
        """How many there were."""
        return sum(counter.total() for counter in self.counts.values())


def judged(look: Callable[[], Any], expected: Any, *, mends: bool = False) -> tuple[str, str]:
    """Return the verdict of one look at what was attacked, and what the product said.

    Parameters
    ----------
    look : callable
        Returns what the product gives; equal to `expected` it is right.
    mends : bool
        Whether the look also repairs, so that the same result means that it did.
    """
    try:
        with _deadline():
            found = look()
    except PassbandError as error:
        return (REFUSED, str(error).split("\n", 1)[0]) if not _is_raw(error) else (TRACEBACK, str(error))
    except _Hung:
        return HUNG, f"no answer in {DEADLINE_S:.0f} s"
    except Exception as error:  # whatever else comes out is what a user would see as a traceback
        return TRACEBACK, f"{type(error).__name__}: {error}"
    if found != expected:
        return WRONG, f"gave {_shortened(found)} instead of {_shortened(expected)}"
    return (MENDED if mends else SAME), ""


def _is_raw(error: PassbandError) -> bool:
    return "Traceback (most recent call last)" in str(error)


def _shortened(value: Any, most: int = 200) -> str:
    spelled = repr(value)
    return spelled if len(spelled) <= most else f"{spelled[:most]} ..."


class _Hung(BaseException):
    """No Exception: nothing on the way may catch it."""


@contextmanager
def _deadline() -> Iterator[None]:
    def ring(number: int, frame: Any) -> None:
        raise _Hung

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
