"""One queue of samples, of which those that are done leave: cost follows the number still at work (compaction).

A thread takes as many as the surrogate sees at once, looks at them, lets go those that are done and puts the others, a
step further, back at the end. A sample's result is a function of itself alone, so the schedule changes no bit.
"""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Condition
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Look = Callable[[Rows], Rows]
"""Looks at samples once, and returns those that are to be looked at again."""


def work_off(look: Look, count: int, most: int, kernels: ModuleType) -> None:
    """Call `look` with up to `most` of the rows 0 .. count - 1 at a time until it returns none, on all threads."""
    queue = _Queue(range(count))
    threads = min(kernels.get_num_threads(), -(-count // most))
    kernels.for_ranges(lambda start, stop: queue.work_off(look, most), threads)


class _Queue:
    """Rows that wait, shared by threads; over when none waits and none is being looked at."""

    def __init__(self, rows: Iterable[int]) -> None:
        self._waiting, self._changed, self._out = deque(rows), Condition(), 0

    def work_off(self, look: Look, most: int) -> None:
        """Call `look` with up to `most` rows at a time, and take back those that it returns."""
        while len(rows := self._take(most)):
            going: Rows = rows[:0]
            try:
                going = look(rows)
            finally:  # also where it raised: no other thread may wait for these in vain
                self._give_back(going)

    def _take(self, most: int) -> Rows:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._out)
            rows = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._out += bool(rows)
            return np.array(rows, np.intp)

    def _give_back(self, rows: Rows) -> None:
        with self._changed:
            self._waiting.extend(rows.tolist())
            self._out -= 1
            self._changed.notify_all()
