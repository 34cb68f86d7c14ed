"""Which files and folders a pattern matches, found by the walk that sources look through folders with.

In a pattern, {a,b} and {00..03} stand for several, *, ? and [abc] for characters of one part of the path, and ** for
any number of folders. As in a shell, they match no leading dot.
"""

import fnmatch
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.sources.base import SourceError
from pipeline.sources.walk import Walk

MARKS = "{*?["
"""A path with one of these is a pattern, unless something of that very name is there."""

_WILD = "*?["


def alternatives(kind: str, path: str, pattern: str) -> Iterator[str]:
    """Yield what the braces in `pattern` stand for; SourceError, naming the whole `path`, for one without its other."""
    import braceexpand

    try:
        yield from braceexpand.braceexpand(pattern)
    except ValueError as error:  # UnbalancedBracesError
        raise SourceError(
            f"source {kind}: the pattern {path!r} has a brace without its other; a brace that belongs to a name is "
            "written with a backslash in front"
        ) from error


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
        found = set(self._below("/" if pattern.startswith("/") else "", once, (), met))
        if not found and not met:
            raise SourceError(f"source {self.walk.kind}: no file matches {pattern!r} in the folder {self.walk.root!r}")
        return found

    def _below(self, folder: str, parts: list[str], above: tuple[tuple[int, int], ...], met: set[str]) -> Iterator[str]:
        """Yield what matches `parts` from `folder` on; `above` tells the folders on the way to it."""
        if not parts:
            yield folder
            return
        if not os.path.isdir(os.path.join(self.walk.root, folder)):
            return
        part, rest = parts[0], parts[1:]
        if part == "..":
            yield from self._below(self._parent(folder), rest, (), met)
            return
        if part == "**":
            yield from self._below(folder, rest, above, met)
            if not rest:
                return  # all below a folder that matches is taken with it
        above = self.walk.enter(folder, above)
        for name, is_folder in self._matches(folder, part):
            if part == "**" and not is_folder:
                continue
            if self.walk.reason(name) is not None:
                self.left_out[name] = is_folder
                met.add(name)
            else:
                yield from self._below(name, parts if part == "**" else rest, above, met)

    def _matches(self, folder: str, part: str) -> list[tuple[str, bool]]:
        """Return the names in `folder` that one part of a pattern matches, and whether each is a folder."""
        if not any(mark in part for mark in _WILD):
            path = os.path.join(self.walk.root, folder, part)
            return [(posixpath.join(folder, part), os.path.isdir(path))] if os.path.lexists(path) else []
        return [
            (item.name, item.is_folder)
            for item in self.walk.entries(folder)
            if fnmatch.fnmatchcase(own := posixpath.basename(item.name), part)
            and (part.startswith(".") or not own.startswith("."))
        ]

    def _parent(self, folder: str) -> str:
        if folder and os.path.islink(os.path.join(self.walk.root, folder)):
            raise SourceError(f"source {self.walk.kind}: .. follows upon {ascii(folder)}, a link; name where it leads")
        if not folder or posixpath.basename(folder) == "..":
            return posixpath.join(folder, "..")
        return posixpath.dirname(folder)
