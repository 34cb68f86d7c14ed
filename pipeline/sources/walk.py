"""The one way in which sources look through folders: links followed, hidden names left out, order by name."""

import fnmatch
import os
import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import shown
from passband.pipeline.sources.skipped import Skipped

HIDDEN = "hidden"
_MAX_WAYS = 1000
MACOS = "left by macOS"
IGNORED = "ignored"
IGNORE_DESCRIPTION = (
    "patterns of files and folders to leave out, such as '*.txt' or 'old/*', held against the name and the path "
    "below the folder"
)


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder that a walk meets.

    Attributes
    ----------
    name : path below the root, POSIX, as links spell it
    is_folder, is_file : of what a link leads to; neither for sockets and links that lead nowhere
    is_link : whether it is one
    """

    name: str
    is_folder: bool
    is_file: bool
    is_link: bool = False


@dataclass(frozen=True)
class Walk:
    """A look through the folder `root`.

    Parameters
    ----------
    kind : the source, for messages
    ignore : patterns by `IGNORE_DESCRIPTION`
    skipped : where to count what is left out; a folder counts once, whatever it holds
    """

    kind: str
    root: str
    ignore: Sequence[str]
    skipped: Skipped

    def scan(self, folder: str = "") -> list[Item]:
        """Return what of `folder` is not left out, sorted by name; raise SourceError if it cannot be listed."""
        return [item for item in self.entries(folder) if not self.skips(item.name, item.is_folder)]

    def entries(self, folder: str = "") -> list[Item]:
        """Return all that lies in `folder`, sorted by name; raise SourceError if it cannot be listed."""
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise self._unlisted(folder, error) from error
        return [_item(posixpath.join(folder, entry.name), entry) for entry in found]

    def files(self, folder: str = "") -> Iterator[Item]:
        """Yield what is no folder below `folder`, depth first, names sorted in each.

        Raises
        ------
        SourceError
            A folder cannot be listed, or is a link to one that contains it.
        """
        ways = Ways(self.kind)
        above = self.enter(folder, self.above(folder))
        below = [_Level(iter(self.scan(folder)), above, by_link=False)]  # a stack, as folders nest deeper than calls
        while below:
            level = below[-1]
            item = next(level.items, None)
            if item is None:
                below.pop()
            elif not item.is_folder:
                yield item
            else:
                by_link, above = level.by_link or item.is_link, self.enter(item.name, level.above)
                ways.count(item.name, above[-1], by_link)
                below.append(_Level(iter(self.scan(item.name)), above, by_link))

    def above(self, name: str) -> tuple[tuple[int, int], ...]:
        """Return what tells apart the folders that contain `name`, from the root; refuse a link to one of them."""
        found: tuple[tuple[int, int], ...] = ()
        parts = name.split("/") if name and not name.startswith(("/", "../")) else []
        for count in range(len(parts)):
            found = self.enter("/".join(parts[:count]), found)
        return found

    def enter(self, folder: str, above: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        """Return `above` with what tells `folder` apart; refuse a link to one of those above."""
        this = self._identity(folder)
        if this in above:
            raise SourceError(f"source {self.kind}: {shown(folder)} is a link to a folder that contains it")
        return (*above, this)

    def _identity(self, folder: str) -> tuple[int, int]:
        try:
            status = os.stat(os.path.join(self.root, folder))
        except OSError as error:
            raise self._unlisted(folder, error) from error
        return status.st_dev, status.st_ino

    def _unlisted(self, folder: str, error: OSError) -> SourceError:
        where = shown(folder) if folder else f"the folder {self.root!r}"
        return SourceError(f"source {self.kind}: cannot list {where}: {error.strerror}")

    def skips(self, name: str, is_folder: bool) -> bool:
        """Tell whether `name`, a path below the root, is left out by its own name, and count it if so."""
        reason = self.reason(name)
        if reason is not None:
            self.skipped.add(reason, f"{name}/" if is_folder else name)
        return reason is not None

    def reason(self, name: str) -> str | None:
        """Say why `name` is left out, or None."""
        own = name.rpartition("/")[2]
        if own.startswith(".") and own not in (".", ".."):
            return HIDDEN
        if own == "__MACOSX":
            return MACOS
        patterns = [pattern.rstrip("/") for pattern in self.ignore]
        return IGNORED if any(fnmatch.fnmatchcase(text, p) for text in (own, name) for p in patterns) else None


class Ways:
    """Counts in how many ways links lead to a folder: a few that lead to each other make billions of them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._found: Counter[tuple[int, int]] = Counter()

    def count(self, folder: str, identity: tuple[int, int], by_link: bool) -> None:
        """Count a way to `folder`; raise SourceError for one too many. Those without a link are not counted."""
        if by_link:
            self._found[identity] += 1
            if self._found[identity] > _MAX_WAYS:
                raise SourceError(f"source {self._kind}: links lead to {shown(folder)} in more than {_MAX_WAYS:,} ways")


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder that a walk is in: what is left of it, the folders that contain it, and whether links led there."""

    items: Iterator[Item]
    above: tuple[tuple[int, int], ...]
    by_link: bool


def _item(name: str, entry: os.DirEntry[str]) -> Item:
    try:
        return Item(name, entry.is_dir(), entry.is_file(), entry.is_symlink())
    except OSError:  # a link that leads to itself
        return Item(name, False, False, True)
