"""Standard error without what native code writes to it: lines of no use to who did not write that code."""

import contextlib
import os
import sys
from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Drop what is written to descriptor 2 within the block, except by Python's own ``sys.stderr``."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # it was closed before: there is nothing to mute
        yield
        return
    with os.fdopen(kept, "w", buffering=1, errors="backslashreplace") as aside:
        before = sys.stderr
        if _writes_there(before):
            before.flush()
            sys.stderr = aside
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        try:
            yield
        finally:
            aside.flush()
            os.dup2(kept, _STDERR)
            if sys.stderr is aside:
                sys.stderr = before


def _writes_there(stream: object) -> bool:
    try:
        return stream.fileno() == _STDERR  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
