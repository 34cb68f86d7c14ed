"""Jobs that name what other nodes make: ``@NODE`` is the folder of a node, ``@NODE/FILE`` a file in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from passband.jobs.reproduce.graph import Made

_MARK = "@"


def referenced(job: Any) -> tuple[str, ...]:
    """Return the names of the nodes that a job names, each once, in the order of their first place."""
    return tuple(dict.fromkeys(text.partition("/")[0].removeprefix(_MARK) for text in _references(job)))


def with_paths(job: Any, needs: Mapping[str, Made]) -> Any:
    """Return a job in which every reference is the path that it stands for."""
    return _replaced(job, {name: made.path for name, made in needs.items()})


def with_identities(job: Any, needs: Mapping[str, Made]) -> Any:
    """Return a job in which every node is named by its identity, so that what it was made from decides, not where."""
    return _replaced(job, {name: made.identity for name, made in needs.items()})


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (value,) if value.startswith(_MARK) else ()
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _references(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _references(entry)


def _replaced(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str) and value.startswith(_MARK):
        name, slash, file = value.removeprefix(_MARK).partition("/")
        return names[name] + slash + file
    if isinstance(value, Mapping):
        return {key: _replaced(entry, names) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(entry, names) for entry in value]
    return value
