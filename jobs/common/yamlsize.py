"""How large a YAML file becomes once its aliases are followed, found without following them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

MAX_DEPTH = 64
MAX_NODES = 500_000
"""As many as the job.yaml of the largest job holds; building them takes some seconds."""
MAX_TEXT = 64 << 20


class Refused(yaml.MarkedYAMLError):
    """YAML that could be read and is not, for what it holds."""


@dataclass
class _Size:
    """What a value takes: values in it, itself included, characters of text, and levels below it."""

    nodes: int = 1
    text: int = 0
    height: int = 0
    parts: int = 0
    anchor: str | None = None

    def add(self, part: "_Size") -> None:
        """Enter a value that stands in this one."""
        self.parts += 1
        self.nodes += part.nodes
        self.text += part.text
        self.height = max(self.height, part.height + 1)


class _Meter:
    """Adds up the values of a document, from the innermost outwards."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self._open = [_Size()]
        self._anchored: dict[str, _Size] = {}
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Enter an event; raise Refused where the whole has become too large by it."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _error(event, "one document is read, and here another begins")
        elif isinstance(event, yaml.CollectionStartEvent):
            if event.anchor is not None:
                self._anchored.pop(event.anchor, None)
            self._open.append(_Size(anchor=event.anchor))
            self._check(event, len(self._open) - 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(self._open.pop(), event)
        elif isinstance(event, yaml.ScalarEvent):
            if len(self._open) == 2 and self._open[1].parts % 2 == 0:
                self.keys.add(event.value)
            self._close(_Size(text=len(event.value), anchor=event.anchor), event)
        elif isinstance(event, yaml.AliasEvent):
            self._follow(event)

    def _follow(self, event: yaml.AliasEvent) -> None:
        if any(one.anchor == event.anchor for one in self._open):
            raise _error(event, f"the alias *{event.anchor} stands in what it names")
        if (named := self._anchored.get(str(event.anchor))) is not None:  # an unknown one is told when it is built
            self._add(named, event)

    def _close(self, done: _Size, event: yaml.Event) -> None:
        if done.anchor is not None:
            self._anchored[done.anchor] = done
        self._add(done, event)

    def _add(self, part: _Size, event: yaml.Event) -> None:
        self._open[-1].add(part)
        self._check(event, len(self._open) + part.height)

    def _check(self, event: yaml.Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _error(event, f"values are nested more than {MAX_DEPTH} levels deep")
        if self._open[-1].nodes > MAX_NODES:
            raise _error(event, f"more than {MAX_NODES:,} values, aliases followed")
        if self._open[-1].text > MAX_TEXT:
            raise _error(event, f"more than {MAX_TEXT >> 20} MB of text, aliases followed")


def measure(events: Iterable[yaml.Event]) -> set[str]:
    """Return the keys of the outermost mapping, once it is clear that the whole is of a sound size.

    Raises
    ------
    Refused
        At the first event by which the whole is too deep or too large, with its line; if an alias stands in what it
        names; if there are several documents.
    """
    meter = _Meter()
    for event in events:
        meter.take(event)
    return meter.keys


def _error(event: Any, why: str) -> Refused:
    return Refused(problem=why, problem_mark=event.start_mark)
