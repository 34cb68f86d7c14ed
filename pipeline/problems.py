"""What is wrong with a value, in words for whoever wrote it: pydantic tells programmers, and in their terms."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from passband.pipeline.shortened import on_one_line, spelled

_MAPPING = "a mapping of keys"
_NEEDED: dict[str, str] = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer of 64 bits",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "none_required": "null",
    "finite_number": "a finite number",
}
PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$": "1 to 100 letters, digits, '_', '.' and '-', and begin with letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "of letters, digits, '_', '.' and '-', and begin with letter or digit",
    r"^[a-z0-9][a-z0-9_-]{0,62}$": "1 to 63 small letters, digits, '_' and '-', and begin with letter or digit",
    "^(cls|json:.+)$": "cls or json:FIELD",
    "^[0-9a-f]{64}$": "64 digits of 0-9 and a-f, as sha256sum prints them",
}
"""Regular expression -> what it asks for, after "it must be"."""
_BOUNDED: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda ctx: f"greater than {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"at least {ctx['ge']}",
    "less_than": lambda ctx: f"less than {ctx['lt']}",
    "less_than_equal": lambda ctx: f"at most {ctx['le']}",
    "multiple_of": lambda ctx: f"a multiple of {ctx['multiple_of']}",
    "too_short": lambda ctx: f"of at least {_count(ctx['min_length'], 'entry', 'entries')}",
    "too_long": lambda ctx: f"of at most {_count(ctx['max_length'], 'entry', 'entries')}",
    "string_too_short": lambda ctx: f"of at least {_count(ctx['min_length'], 'character', 'characters')}",
    "string_too_long": lambda ctx: f"of at most {_count(ctx['max_length'], 'character', 'characters')}",
    "string_pattern_mismatch": lambda ctx: PATTERNS.get(ctx["pattern"], f"of the form {ctx['pattern']}"),
}
_PYDANTICS = frozenset(get_args(ErrorType))
_TEXT = 1000  # characters of one problem


def first_problem(error: ValidationError) -> str:
    """Return the first problem on one line, as ``key: what is wrong``."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return on_one_line(f"{key}: {problem([first])}" if key else problem([first]), _TEXT)


def problem(details: list[ErrorDetails], hint: str = "") -> str:
    """Spell what is wrong with one value, of which each allowed type may say its own; the first one's words lead.

    Parameters
    ----------
    hint : added to what was needed
    """
    first = details[0]
    kind, ctx = first["type"], first.get("ctx", {})
    if kind == "unknown_key":
        return first["msg"]
    if kind in ("value_error", "assertion_error"):
        return _given(first, str(ctx["error"]))
    if kind == "missing":
        return "is missing"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _of_no_kind(first)
    needed = [need for detail in details if (need := _needed(detail)) is not None]
    if not needed:
        return _given(first, "it is not allowed here" if kind in _PYDANTICS else first["msg"])
    if kind == "literal_error" and len(needed) == 1:
        return _given(first, f"allowed: {_expected(ctx)}{nearest(first['input'], _expected(ctx).split(', '))}")
    return _given(first, f"it must be {' or '.join(dict.fromkeys(needed))}{hint}")


def nearest(given: Any, allowed: Iterable[str]) -> str:
    """Return a question for the allowed name that `given` is most like; "" where none is near."""
    found = difflib.get_close_matches(given[:100], allowed, n=1) if isinstance(given, str) else []
    return f" (did you mean {found[0]}?)" if found else ""


def _needed(detail: ErrorDetails) -> str | None:
    kind, ctx = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return _expected(ctx)
    if kind in _BOUNDED:
        return _BOUNDED[kind](ctx)
    return _NEEDED.get(kind)


def _given(detail: ErrorDetails, needed: str) -> str:
    """Say what stands there, where that is short, and what is needed."""
    value = detail["input"]
    if isinstance(value, dict | list):
        called = "an empty list" if value == [] else "a list" if isinstance(value, list) else "a mapping"
        return f"got {called}; {needed}" if detail["type"] in _NEEDED | _BOUNDED else needed
    return f"got {str(value) if isinstance(value, date) else spelled(value)}; {needed}"


def _of_no_kind(detail: ErrorDetails) -> str:
    """Spell that the key which says what a mapping is says nothing that is known, or is not there."""
    ctx = detail["ctx"]
    key = str(ctx["discriminator"]).strip("'")
    if detail["type"] == "union_tag_not_found":
        return f"missing: {key}"
    allowed = [name.strip("'") for name in str(ctx["expected_tags"]).split(", ")]
    value = detail["input"][key] if isinstance(detail["input"], Mapping) else ctx["tag"]
    return f"{key}: got {spelled(value)}; allowed: {', '.join(allowed)}{nearest(value, allowed)}"


def _expected(ctx: Mapping[str, Any]) -> str:
    return ", ".join(part.strip("'") for part in str(ctx["expected"]).replace(" or ", ", ").split(", "))


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
