"""Which files and folders a pattern matches, found by the walk that sources look through folders with.

In a pattern, {a,b} and {00..03} stand for several, *, ? and [abc] for characters of one part of the path, and ** for
any number of folders. As in a shell, they match no leading dot.
"""

import fnmatch
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import shown
from passband.pipeline.sources.walk import Item, Walk, Ways

MARKS = "{*?["
"""A path with one of these is a pattern, unless something of that very name is there."""

_WILD = "*?["
_MAX_ALTERNATIVES = 100_000  # {0..999999999} is written quickly
_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)")


def alternatives(kind: str, path: str, pattern: str) -> Iterator[str]:
    """Yield what the braces in `pattern` stand for; SourceError, naming the whole `path`, for one without its other."""
    import braceexpand

    too_many = SourceError(
        f"source {kind}: the braces of the pattern {shown(path)} stand for more than {_MAX_ALTERNATIVES:,} names"
    )
    if any(_is_long(first, last) for first, last in _RANGE.findall(pattern)):
        raise too_many
    try:
        for count, part in enumerate(braceexpand.braceexpand(pattern)):
            if count == _MAX_ALTERNATIVES:
                raise too_many
            yield part
    except ValueError as error:  # UnbalancedBracesError
        raise SourceError(
            f"source {kind}: the pattern {shown(path)} has a brace without its other; a brace that belongs to a name "
            "is written with a backslash in front"
        ) from error


def _is_long(first: str, last: str) -> bool:
    """Tell whether a range of numbers is longer than what is looked for; it would be spelled out as a whole."""
    return max(len(first), len(last)) > 18 or abs(int(last) - int(first)) > _MAX_ALTERNATIVES


@dataclass(frozen=True, slots=True)
class _Step:
    """What is left of a pattern to match below a folder, the folders that contain it, and whether links led there."""

    folder: str
    parts: list[str]
    above: tuple[tuple[int, int], ...]
    by_link: bool


@dataclass
class Expansion:
    """The names below the root of `walk` that patterns match.

    Attributes
    ----------
    left_out : names that a part of a pattern matched and that the walk leaves out -> whether each is a folder; they
        are not counted as skipped yet
    """

    walk: Walk
    left_out: dict[str, bool] = field(default_factory=dict)

    def names(self, pattern: str) -> set[str]:
        """Return what matches, "" for the root itself; what lies outside begins with / or ../.

        Raises
        ------
        SourceError
            Nothing matches or is left out; a folder cannot be listed, or is a link to one that contains it; .. follows
            upon a link.
        """
        met: set[str] = set()
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        once = [part for part, before in zip(parts, ["", *parts], strict=False) if (part, before) != ("**", "**")]
        found = set(self._below("/" if pattern.startswith("/") else "", once, met))
        if not found and not met:
            raise SourceError(
                f"source {self.walk.kind}: no file matches {shown(pattern)} in the folder {self.walk.root!r}"
            )
        return found

    def _below(self, start: str, pattern: list[str], met: set[str]) -> Iterator[str]:
        """Yield what matches `pattern` from the folder `start` on."""
        ways = Ways(self.walk.kind)
        waiting = [_Step(start, pattern, (), False)]  # a stack, as folders nest deeper than calls
        while waiting:
            step = waiting.pop()
            if not step.parts:
                yield step.folder
                continue
            if not os.path.isdir(os.path.join(self.walk.root, step.folder)):
                continue
            part, rest = step.parts[0], step.parts[1:]
            if part == "..":
                waiting.append(_Step(self._parent(step.folder), rest, (), step.by_link))
                continue
            if part == "**":
                waiting.append(_Step(step.folder, rest, step.above, False))
                if not rest:
                    continue  # all below a folder that matches is taken with it
            above = self.walk.enter(step.folder, step.above)
            ways.count(step.folder, above[-1], step.by_link)
            for item in self._matches(step.folder, part):
                if part == "**" and not item.is_folder:
                    continue
                if self.walk.reason(item.name) is not None:
                    self.left_out[item.name] = item.is_folder
                    met.add(item.name)
                else:
                    by_link = step.by_link or item.is_link
                    waiting.append(_Step(item.name, step.parts if part == "**" else rest, above, by_link))

    def _matches(self, folder: str, part: str) -> list[Item]:
        """Return what lies in `folder` and one part of a pattern matches."""
        if not any(mark in part for mark in _WILD):
            path = os.path.join(self.walk.root, folder, part)
            name, is_folder = posixpath.join(folder, part), os.path.isdir(path)
            return [Item(name, is_folder, not is_folder, os.path.islink(path))] if os.path.lexists(path) else []
        return [
            item
            for item in self.walk.entries(folder)
            if fnmatch.fnmatchcase(own := posixpath.basename(item.name), part)
            and (part.startswith(".") or not own.startswith("."))
        ]

    def _parent(self, folder: str) -> str:
        if folder and os.path.islink(os.path.join(self.walk.root, folder)):
            raise SourceError(f"source {self.walk.kind}: .. follows upon {shown(folder)}, a link; name where it leads")
        if not folder or posixpath.basename(folder) == "..":
            return posixpath.join(folder, "..")
        return posixpath.dirname(folder)
