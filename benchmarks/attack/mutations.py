"""What can happen to a file: seeded flips, cuts and swaps of its bytes, and edits of every field that it has."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_MOST_ENTRIES = 3
"""Of a list of equals so many are edited: the first, the last and one between."""


@dataclass(frozen=True)
class Mutation:
    """The new content of one or two files.

    Attributes
    ----------
    target : the file, below the output
    action : what was done, in words
    contents : file -> content; None removes it
    """

    target: str
    action: str
    contents: dict[str, bytes | None]


def byte_mutations(root: Path, name: str, others: list[str], draws: random.Random, flips: int) -> Iterator[Mutation]:
    """Yield damage that needs no knowledge of the format."""
    content = (root / name).read_bytes()
    yield Mutation(name, "removed", {name: None})
    yield Mutation(name, "emptied", {name: b""})
    for _ in range(flips if content else 0):
        place, bit = draws.randrange(len(content)), draws.randrange(8)
        changed = bytearray(content)
        changed[place] ^= 1 << bit
        yield Mutation(name, f"bit {bit} of byte {place} flipped", {name: bytes(changed)})
    if len(content) < 2:
        return
    cut = draws.randrange(1, len(content))
    yield Mutation(name, f"cut to {cut} bytes", {name: content[:cut]})
    if content.count(b"\n") > 2:
        lines = content.splitlines(keepends=True)
        kept = draws.randrange(1, len(lines))
        yield Mutation(name, f"cut to {kept} lines", {name: b"".join(lines[:kept])})
    yield Mutation(name, "a byte added", {name: content + b"\n"})
    half, size = len(content) // 2, min(len(content) // 2, 512)
    swapped = content[half : half + size] + content[size:half] + content[:size] + content[half + size :]
    if swapped != content:
        yield Mutation(name, f"its first {size} bytes and those at {half} swapped", {name: swapped})
    begin = draws.randrange(len(content))
    end = min(begin + 512, len(content))
    zeroed = content[:begin] + bytes(end - begin) + content[end:]
    if zeroed != content:
        yield Mutation(name, f"bytes {begin} to {end} zeroed", {name: zeroed})
    if others:
        other = draws.choice(others)
        theirs = (root / other).read_bytes()
        if theirs != content:
            yield Mutation(name, f"swapped with {other}", {name: theirs, other: content})
            yield Mutation(name, f"replaced by {other}", {name: theirs})


def field_mutations(root: Path, name: str) -> Iterator[Mutation]:
    """Yield the edits of every field of a JSON or YAML file, written as the file is written."""
    text = (root / name).read_text()
    if name.endswith(".json"):
        tree = json.loads(text)
        for action, edited in edits(tree):
            yield Mutation(name, action, {name: (json.dumps(edited, indent=1, ensure_ascii=False) + "\n").encode()})
    else:
        tree = yaml.safe_load(text)
        for action, edited in edits(tree):
            content = yaml.safe_dump(edited, sort_keys=False, allow_unicode=True).encode()
            yield Mutation(name, action, {name: content})


def edits(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield (what was edited, the whole tree with the edit) for every edit of every field."""
    for path in _paths(tree):
        *above, last = path
        spelled = ".".join(map(str, path))
        for action, value in _changes(_at(tree, path)):
            edited = deepcopy(tree)
            _at(edited, above)[last] = value
            yield f"{spelled}: {action}", edited
        edited = deepcopy(tree)
        del _at(edited, above)[last]
        yield f"{spelled}: dropped", edited
        if isinstance(last, str):
            edited = deepcopy(tree)
            parent = _at(edited, above)
            parent[f"{last}x"] = parent.pop(last)
            yield f"{spelled}: renamed", edited


def _paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value; of a long list those of a few entries."""
    if path:
        yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _paths(value, (*path, key))
    elif isinstance(tree, list):
        for place in sorted({0, len(tree) // 2, len(tree) - 1} if tree else ())[:_MOST_ENTRIES]:
            yield from _paths(tree[place], (*path, place))


def _at(tree: Any, path: Any) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _changes(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, bool):
        yield "negated", not value
    elif isinstance(value, int | float):
        yield "one more", value + 1
        yield "one less", value - 1
        yield "negative", -value - 1
        yield "huge", 2**63
        yield "a text", str(value)
    elif isinstance(value, str):
        yield "emptied", ""
        if value:
            middle = len(value) // 2
            yield "a character flipped", value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :]
            yield "a number", 7
    elif isinstance(value, list) and value:
        yield "its last entry dropped", value[:-1]
        yield "its first entry doubled", [value[0], *value]
        if len(value) > 1 and value[0] != value[-1]:
            yield "first and last swapped", [value[-1], *value[1:-1], value[0]]
        yield "emptied", []
    elif isinstance(value, dict) and len(value) > 1:
        names = list(value)
        if value[names[0]] != value[names[-1]]:
            yield (
                "values of its first and last key swapped",
                value
                | {
                    names[0]: value[names[-1]],
                    names[-1]: value[names[0]],
                },
            )
    elif value is None:
        yield "a number", 7
