"""JSON from elsewhere: bounded in size and depth, and a key that is said twice is no key."""

import json
from typing import Any

from passband.pipeline.sources.limits import MAX_JSON_BYTES


class DocumentError(ValueError):
    """Why a document does not tell what it should, in a few words.

    Attributes
    ----------
    is_huge : whether it was not looked at, for its size or depth
    """

    def __init__(self, reason: str, *, is_huge: bool = False) -> None:
        super().__init__(reason)
        self.is_huge = is_huge


def json_field(content: bytes, field: str) -> Any:
    """Return a field of the object that a JSON document is.

    Raises
    ------
    DocumentError
        No JSON, no object, no such field or two of them; too long or too deep.
    """
    found = parsed(content)
    if not isinstance(found, dict):
        raise DocumentError("it is no JSON object")
    if field in getattr(found, "doubled", ()):
        raise DocumentError("it says it twice")
    if field not in found:
        raise DocumentError("it is not there")
    return found[field]


def parsed(content: bytes) -> Any:
    """Return what a JSON document says; raise DocumentError."""
    if len(content) > MAX_JSON_BYTES:
        raise DocumentError(f"JSON of {len(content):,} bytes; {MAX_JSON_BYTES:,} are read", is_huge=True)
    try:
        return json.loads(content.decode(), object_pairs_hook=_mapping)
    except RecursionError as error:
        raise DocumentError("JSON that nests too deep", is_huge=True) from error
    except ValueError as error:  # also of bytes that are no UTF-8, and of integers with thousands of digits
        raise DocumentError("it is no JSON") from error


class _Doubled(dict[str, Any]):
    """An object that says keys twice: the last value holds, as for any reader, and `doubled` tells which they are."""

    doubled: frozenset[str]


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = _Doubled(found)
    twice.doubled = frozenset(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return twice
