"""Reading JSON that lies in a file: bounded before anything is built from it, and refused in a few words.

Whoever can write into a folder can put there what would fill the memory, or what nothing downstream can hold: numbers
of thousands of digits, infinities, nesting without end. One reader for all files means that each is refused once.
"""

import math
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from passband.pipeline.errors import PassbandError
from passband.pipeline.store import Store

MAX_JSON_BYTES = 1 << 28
"""More than the manifest of a million shards takes."""
MAX_INTEGER_BITS = 64


class DocumentError(PassbandError, ValueError):
    """Content that is no sound document; the message says why and leaves it to the caller to name the file."""


def parse_json(content: bytes | str, *, finite: bool = True) -> Any:
    """Return what JSON text says.

    Parameters
    ----------
    finite : bool
        Refuse NaN and infinities, which JSON does not know and Python writes all the same.

    Raises
    ------
    DocumentError
        If it is no JSON, is nested deeper than 200 levels, or holds a number that no 64 bits hold.
    """
    if len(content) > MAX_JSON_BYTES:
        raise DocumentError(too_long(len(content), MAX_JSON_BYTES))
    try:
        found = from_json(content, allow_inf_nan=not finite)
    except ValueError as error:
        raise DocumentError(f"is not JSON: {error}") from error
    _check_numbers(found, finite)
    return found


def read_json(store: Store, name: str, *, finite: bool = True) -> Any:
    """Return what a file of `store` says; raises what reading it raises, and DocumentError as `parse_json` does."""
    return parse_json(read_bounded(store, name, MAX_JSON_BYTES), finite=finite)


def read_bounded(store: Store, name: str, most: int) -> bytes:
    """Return the content of `name`; raise DocumentError, before it is read, if that is more than `most` bytes."""
    if (size := store.size(name)) > most:
        raise DocumentError(too_long(size, most))
    return store.read(name)


def read_json_file(path: Path) -> Any:
    """Return what a local file says; raises OSError, and DocumentError as `parse_json` does."""
    with path.open("rb") as file:  # perhaps a pipe, whose end nobody knows
        content = file.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise DocumentError(too_long(None, MAX_JSON_BYTES))
    return parse_json(content)


def too_long(size: int | None, most: int) -> str:
    """Spell that a document is longer than it may be; None where nobody knows by how much."""
    allowed = f"at most {most >> 20} MB are read"
    return f"is too long; {allowed}" if size is None else f"is {size / 2**20:,.1f} MB long; {allowed}"


def _check_numbers(found: Any, finite: bool) -> None:
    """Raise DocumentError at a number that is too large, without recursion."""
    left = [found]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
        elif isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
            raise DocumentError(f"holds an integer beyond {MAX_INTEGER_BITS} bits")
        elif isinstance(value, float) and finite and not math.isfinite(value):
            raise DocumentError("holds a number beyond what a float can be")
