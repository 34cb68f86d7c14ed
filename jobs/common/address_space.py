"""Too little memory or address space: libraries answer it in words of their own, or not at all."""

import errno
import resource

from passband.pipeline.errors import PassbandError

LEAST = 1 << 30
"""With less, linear algebra libraries look for room without end as they are loaded; most work takes 2 to 3 GB."""
_TOLD = (
    *("failed to map segment", "cannot allocate memory", "can't allocate memory", "can't start new thread"),
    *("static tls block", "std::bad_alloc"),
)
_DEVICES = "OutOfMemoryError"
"""What torch and CuPy call it; neither is imported to ask."""


def check_address_space() -> None:
    """Raise PassbandError where a process may have too little to load anything."""
    limit = _limit()
    if limit is not None and limit < LEAST:
        raise PassbandError(f"{_spell(limit)}; passband needs at least {LEAST >> 20:,} MB, and most work 3,000 MB")


def is_lack_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory does not suffice, in Python's words or in a library's."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if not isinstance(error, ImportError | OSError | RuntimeError):
        return False
    return type(error).__name__ == _DEVICES or any(words in str(error).lower() for words in _TOLD)


def lack_of_memory(error: BaseException) -> str | None:
    """Return a sentence if an error comes of too little memory, None if it is another."""
    if not is_lack_of_memory(error):
        return None
    told = " ".join(str(error).split())
    what = f"out of memory: {told}" if told else "out of memory"
    limit = _limit()
    return what if limit is None else f"{what}; {_spell(limit)}"


def _limit() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _spell(limit: int) -> str:
    return f"the address space of a process is limited to {limit >> 20:,} MB here (ulimit -v)"
