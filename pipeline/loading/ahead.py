"""Build batches ahead on threads, out of order, and hand them out in order."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

J = TypeVar("J")
R = TypeVar("R")
_FETCHERS = 4


@dataclass
class Ahead(Generic[J, R]):
    """How results are made ahead.

    Attributes
    ----------
    units : job -> the units (shards, blocks) that it needs
    prepare : (unit, stop)
        Makes a unit usable, once an iteration; called in the order of first need, ahead of the jobs. A long one
        looks at the event `stop` now and then and raises when it is set.
    build : job -> result
        Called when the units of the job are prepared.
    workers, prefetch : int, at least 1
        Threads that build, and how many jobs are under way before the one that is waited for.
    """

    units: Callable[[J], Sequence[int]]
    prepare: Callable[[int, threading.Event], None]
    build: Callable[[J], R]
    workers: int
    prefetch: int
    _stop: threading.Event = field(default_factory=threading.Event)
    _prepared: dict[int, "Future[None]"] = field(default_factory=dict)

    def results(self, jobs: Iterable[J]) -> Generator[tuple[J, R], None, None]:
        """Yield every job with its result, in order; what fails is raised at its place.

        When the iterator is closed, dropped or fails, no thread is left.
        """
        fetching = ThreadPoolExecutor(_FETCHERS, thread_name_prefix="passband-fetch")
        building = ThreadPoolExecutor(self.workers, thread_name_prefix="passband-build")
        pending: deque[tuple[J, Future[R]]] = deque()
        try:
            for job in jobs:
                needed = [self._unit(unit, fetching) for unit in self.units(job)]
                pending.append((job, building.submit(self._run, job, needed)))
                if len(pending) > self.prefetch:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            self._stop.set()
            fetching.shutdown(wait=True, cancel_futures=True)
            building.shutdown(wait=True, cancel_futures=True)

    def _unit(self, unit: int, pool: ThreadPoolExecutor) -> "Future[None]":
        if unit not in self._prepared:
            self._prepared[unit] = pool.submit(self.prepare, unit, self._stop)
        return self._prepared[unit]

    def _run(self, job: J, needed: "list[Future[None]]") -> R:
        for future in needed:
            future.result()
        return self.build(job)
