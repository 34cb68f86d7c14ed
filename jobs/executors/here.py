"""What a task can know of where it runs: the name of its worker, and whether it is to end."""

import os
import socket
import threading
from collections.abc import Callable

_thread = threading.local()


class Stopped(BaseException):
    """Raised in a task whose run is over; it is cut like one that is interrupted, and has not failed."""


def become_worker(number: int, stop: threading.Event) -> None:
    """Make the calling thread a worker of its own: number `number` of this process, until `stop` is set."""
    _thread.number, _thread.stop = number, stop


def worker_name() -> str:
    """Return "host:pid" of this process; "host:pid/number" on a thread that is a worker among others."""
    number = getattr(_thread, "number", None)
    return f"{socket.gethostname()}:{os.getpid()}" + ("" if number is None else f"/{number}")


def check_stopped() -> None:
    """Raise Stopped if this thread is a worker whose run is over; a long task asks now and then."""
    stop_check()()


def stop_check() -> Callable[[], None]:
    """Return `check_stopped` as it is for this thread, for threads that help it."""
    stop: threading.Event | None = getattr(_thread, "stop", None)

    def check() -> None:
        if stop is not None and stop.is_set():
            raise Stopped

    return check
