"""A task that fails as its fault map says. A module of its own, so that Ray's workers can import it."""

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from passband.jobs.executors.base import PermanentError


@dataclass(frozen=True)
class FaultyTask:
    """Attempt number i does what ``faults[i - 1]`` says: raise, refuse, die, hang, or else succeed.

    Every attempt first leaves a file in `log`, named after task, attempt and process.
    """

    index: int
    log: Path
    faults: Sequence[str] = ()
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return f"task {self.index}"

    def run(self, attempt: int) -> int:
        (self.log / f"{self.index}.{attempt}.{os.getpid()}.{time.monotonic_ns()}").touch()
        match self.faults[attempt - 1] if attempt <= len(self.faults) else "ok":
            case "raise":
                raise RuntimeError(f"told to raise at attempt {attempt}")
            case "refuse":
                raise PermanentError("told to refuse")
            case "die":
                time.sleep(0.1)  # let the reply of the task before get through
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                raise SystemExit(3)
            case "hang":
                time.sleep(600)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(self.seconds)
        return self.index**2


def invocations(log: Path) -> Counter[int]:
    """How often each task was started."""
    return Counter(int(path.name.split(".")[0]) for path in log.iterdir())


def processes(log: Path, index: int) -> list[int]:
    """Processes that ran the attempts at one task, in the order of their starts."""
    started = sorted(log.glob(f"{index}.*"), key=lambda path: int(path.name.split(".")[3]))
    return [int(path.name.split(".")[2]) for path in started]
