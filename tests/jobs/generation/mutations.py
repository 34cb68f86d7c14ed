"""Every small change of a JSON document: what a flipped bit, a slip of an editor, or an attacker would make of it."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple


class Mutation(NamedTuple):
    """A document with one change, and where it is."""

    path: str
    kind: str
    document: Any


def mutations(document: Any, *, every_character: bool) -> Iterator[Mutation]:
    """Yield `document` with every single change of every field; a change is undone when the next one is asked for.

    Parameters
    ----------
    every_character : flip each character of a text, or only one
    """
    document = copy.deepcopy(document)
    for path, parent, key in list(_places(document, "")):
        value = parent[key]
        for kind, changed in _changes(value, every_character):
            parent[key] = changed
            yield Mutation(path, kind, document)
            parent[key] = value
        if isinstance(parent, dict):
            del parent[key]
            yield Mutation(path, "drop", document)
            parent[key] = value


def _places(node: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield every place of a document as (path, container, key), from the leaves up."""
    for key in list(node) if isinstance(node, dict) else range(len(node)):
        own = f"{path}.{key}" if path else str(key)
        if isinstance(node[key], dict | list):
            yield from _places(node[key], own)
        yield own, node, key


def _changes(value: Any, every_character: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str):
        places = range(len(value)) if every_character else [len(value) // 2][: len(value)]
        yield from (("flip", value[:n] + chr(ord(value[n]) ^ 1) + value[n + 1 :]) for n in places)
        yield "longer", value + "0"
        yield from [("shorter", value[:-1])] if value else []
    elif isinstance(value, bool) or value is None:
        yield "other", "other"
    elif isinstance(value, int | float):
        yield from (("number", changed) for changed in (value + 1, value - 1, -value, value * 2) if changed != value)
        yield "text", str(value)
    elif isinstance(value, list):
        yield from (("drop one", value[:n] + value[n + 1 :]) for n in range(len(value)))
        yield from (("double one", [*value[:n], value[n], *value[n:]]) for n in range(len(value)))
        yield from (("swap", _swapped(value, n)) for n in range(len(value) - 1) if value[n] != value[n + 1])
    elif isinstance(value, dict):
        yield "one more", value | {"more": 1}
        keys = list(value)
        pairs = [(one, two) for one, two in zip(keys, keys[1:], strict=False) if value[one] != value[two]]
        yield from (("swap", value | {one: value[two], two: value[one]}) for one, two in pairs)


def _swapped(values: list[Any], at: int) -> list[Any]:
    return [*values[:at], values[at + 1], values[at], *values[at + 2 :]]
