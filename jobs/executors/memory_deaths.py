"""Whether a worker died of memory, as far as anyone can tell: of that cause the user can be told what to do."""

from pathlib import Path
from typing import Any

COUNTS = Path("/proc/vmstat")
_LESS = "fewer workers (--workers) or smaller batches (compute.batch_size) need less"
_BY_RAY = f"the machine ran low on memory, and Ray killed the worker; {_LESS}"
_BY_KERNEL = f"the worker was killed, most likely by the kernel as memory ran out; {_LESS}"


class MemoryDeaths:
    """Tells deaths by memory from others; the kernel's count of them is of this machine, and from now on."""

    def __init__(self) -> None:
        self._counted = oom_kills()

    def cause(self, error: BaseException, exceptions: Any) -> str | None:
        """Return in words that a worker died of memory; None if nothing says so.

        Parameters
        ----------
        error : what Ray raised for a call of the worker
        exceptions : the module ``ray.exceptions``
        """
        if isinstance(error, exceptions.OutOfMemoryError) or "low on memory" in str(error):
            return _BY_RAY
        before, self._counted = self._counted, oom_kills()
        return _BY_KERNEL if self._counted > before else None


def oom_kills() -> int:
    """Return how many processes the kernel has killed for memory since it started; 0 where it does not say."""
    try:
        lines = COUNTS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
