"""The far end of the `ray` executor: what runs in a worker's process."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping

from passband.jobs.executors.base import Reply, Task, attempt, start
from passband.jobs.executors.ray_versions import refusal

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_PR_SET_PDEATHSIG = 1


class Worker:
    """The actor. It imports nothing heavy itself, so the thread limits stand before numba or OpenMP come up."""

    def __init__(self, num_threads: int) -> None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(num_threads)))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's, which then kills its workers
        if sys.platform == "linux":  # end with the node's Ray, at once, even amid native code or stopped
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def ping(self) -> None:
        """Answer, and so tell that the cluster has given this worker its place."""

    def start(self, setup: Callable[[], None] | None, driver: Mapping[str, str] | None) -> Reply:
        """Set up; the record is the worker's name. `setup` comes here, not above, as unpickling it may import.

        Parameters
        ----------
        driver : the driver's versions, which must be those here; None where both run from the same files
        """
        if driver is not None and (cause := refusal(driver)) is not None:
            return Reply(cause=cause, permanent=True)
        return start(setup)

    def run(self, task: Task, number: int) -> Reply:
        """Make one attempt at `task`."""
        return attempt(task, number)
