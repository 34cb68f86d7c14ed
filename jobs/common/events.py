"""JSON for machines: one object a line on standard output, in ASCII; what tells of an event says when it was."""

import json
import math
import sys
import time
from typing import Any


class _Output:
    """What standard output holds so far: a document is one JSON value, and an event after it would spoil it."""

    is_document = False


output = _Output()


def say(event: str, **values: Any) -> None:
    """Write an event: its name, the seconds since 1970, and what belongs to it."""
    write({"event": event, **values})


def write(value: Any) -> None:
    """Write `value` on one line; an event without ``time`` gets it."""
    output.is_document = not (isinstance(value, dict) and "event" in value)
    if not output.is_document:
        value = {"event": value["event"], "time": round(time.time(), 3), **value}
    sys.stdout.write(line(value) + "\n")
    sys.stdout.flush()


def line(value: Any) -> str:
    """Return `value` as JSON; null for numbers that are not finite, which JSON does not know."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
