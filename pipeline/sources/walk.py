"""The one way in which sources look through folders: links followed, hidden names left out, order by name."""

import fnmatch
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.sources.base import SourceError
from pipeline.sources.skipped import Skipped

HIDDEN = "hidden"
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
    """

    name: str
    is_folder: bool
    is_file: bool


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
            where = ascii(folder) if folder else f"the folder {self.root!r}"
            raise SourceError(f"source {self.kind}: cannot list {where}: {error.strerror}") from error
        return [_item(posixpath.join(folder, entry.name), entry) for entry in found]

    def files(self, folder: str = "") -> Iterator[Item]:
        """Yield what is no folder below `folder`, depth first, names sorted in each.

        Raises
        ------
        SourceError
            A folder cannot be listed, or is a link to one that contains it.
        """
        yield from self._files(folder, self.above(folder))

    def above(self, name: str) -> tuple[tuple[int, int], ...]:
        """Return what tells apart the folders that contain `name`, from the root; refuse a link to one of them."""
        found: tuple[tuple[int, int], ...] = ()
        parts = name.split("/") if name and not name.startswith(("/", "../")) else []
        for count in range(len(parts)):
            found = self.enter("/".join(parts[:count]), found)
        return found

    def _files(self, folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[Item]:
        above = self.enter(folder, above)
        for item in self.scan(folder):
            if item.is_folder:
                yield from self._files(item.name, above)
            else:
                yield item

    def enter(self, folder: str, above: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        """Return `above` with what tells `folder` apart; refuse a link to one of those above."""
        this = self._identity(folder)
        if this in above:
            raise SourceError(f"source {self.kind}: {ascii(folder)} is a link to a folder that contains it")
        return (*above, this)

    def _identity(self, folder: str) -> tuple[int, int]:
        try:
            status = os.stat(os.path.join(self.root, folder))
        except OSError as error:
            raise SourceError(f"source {self.kind}: cannot list {ascii(folder)}: {error.strerror}") from error
        assert stat.S_ISDIR(status.st_mode)
        return status.st_dev, status.st_ino

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


def _item(name: str, entry: os.DirEntry[str]) -> Item:
    try:
        return Item(name, entry.is_dir(), entry.is_file())
    except OSError:  # a link that leads to itself
        return Item(name, False, False)
