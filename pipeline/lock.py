"""One process at a time on an output folder."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from passband.pipeline.errors import OutputError, PassbandError, output_error
from passband.pipeline.layout import LOCK
from passband.pipeline.store import LocalStore, Store

_LOCK_TIMEOUT_S = 0.5  # ``status`` holds it for a moment when it looks


@contextmanager
def locked(store: Store, timeout_s: float = _LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the output against a second run, after waiting for one; the lock goes with the process, however it ends."""
    if not isinstance(store, LocalStore):
        yield  # runs that meet in an object store write equal shards
        return
    lock = FileLock(store.root / LOCK)
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=timeout_s)
    except Timeout as error:
        raise PassbandError(f"{store.uri}: another passband process is at work on this output") from error
    except OSError as error:
        raise output_error(error, store.uri) or OutputError(f"cannot write to {store.uri}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def is_locked(store: Store) -> bool:
    """Whether a process is at work on the output; False where that cannot be told: in an object store, for one."""
    if not isinstance(store, LocalStore) or not store.exists(LOCK):
        return False
    lock = FileLock(store.root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # we may not look
    lock.release()
    return False
