"""Split a batch over a few threads; kernels release the GIL, and each row's result is a function of that row alone."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


_lock, _blas_lock = threading.Lock(), threading.Lock()
_num_threads = usable_cpus()
_pool: ThreadPoolExecutor | None = None


def get_num_threads() -> int:
    """Return the number of threads that a batch is split over; at first, the CPUs this process may use."""
    return _num_threads


def set_num_threads(count: int) -> None:
    """Use `count` threads from now on, in the whole process; 1 runs everything in the calling thread."""
    global _num_threads, _pool
    if count < 1:
        raise ValueError(f"count {count}: needs at least one thread")
    with _lock:
        if count != _num_threads:
            # Calls under way keep the old pool and finish there.
            _num_threads, _pool = count, None


def _current_pool() -> tuple[ThreadPoolExecutor | None, int]:
    global _pool
    with _lock:
        if _num_threads > 1 and _pool is None:
            _pool = ThreadPoolExecutor(_num_threads - 1, thread_name_prefix="kernels")
        return _pool, _num_threads


def _forget_pool() -> None:
    """Drop what a forked child inherits: a pool whose threads do not exist there, locks that may be held."""
    global _lock, _blas_lock, _pool
    _lock, _blas_lock, _pool = threading.Lock(), threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Hold BLAS to the calling threads, one caller at a time.

    The limit belongs to the process. Of two callers whose times overlap, the second would take the first one's limit
    for what was there before and leave it behind.
    """
    with _blas_lock, _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries with threads of their own, NumPy's BLAS among them; to find them takes milliseconds."""
    return ThreadpoolController()


def for_ranges(work: Callable[[int, int], object], count: int, rows: int = 1) -> None:
    """Call ``work(start, stop)`` for consecutive ranges that cover ``0 .. count``, on all threads.

    Parameters
    ----------
    work : callable
        Must write to its own rows only; runs on several threads at once, the calling one among them.
    count : int
    rows : int
        Length of a range (the last may be shorter); many ranges even out rows of unequal cost.

    Raises
    ------
    Exception
        What `work` raised, once no range is running any more.
    """
    starts = range(0, count, max(1, rows))
    pool, threads = _current_pool()
    if pool is None or len(starts) < 2:
        for start in starts:
            work(start, min(start + rows, count))
        return
    todo = iter(starts)

    def drain() -> None:
        for start in todo:  # under the GIL a range iterator hands out each item once, whichever thread asks
            work(start, min(start + rows, count))

    futures = [pool.submit(drain) for _ in range(min(threads, len(starts)) - 1)]
    try:
        drain()
    finally:
        # By now every range is taken; a helper that has not begun (the pool is busy) has nothing left to do.
        wait([future for future in futures if not future.cancel()])
    for future in futures:
        if not future.cancelled():
            future.result()
