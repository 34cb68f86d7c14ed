"""Image files below folders that are named after their class: what ``imagefolder`` and ``domains`` share."""

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence

from passband.pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from passband.pipeline.sources.limits import plain, shown
from passband.pipeline.sources.local import checked_key, existing_path, refuse_pointer_content
from passband.pipeline.sources.regular import image_bytes, image_content
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import IGNORE_DESCRIPTION, Item, Walk

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""What an image file's name ends in, in any case."""
IGNORE_OR_ERROR = f"{IGNORE_DESCRIPTION}; any other file without an image's suffix is an error"
_SHOWN = 5


class ClassFolders(Source):
    """Image files of a folder; the key is the relative POSIX path, and some folder on it names the class.

    Names that start with a dot are skipped. Links are followed; a link to a folder that contains it is an error.
    """

    decodes_files = True

    def __init__(self, options: SourceOptions, path: str) -> None:
        super().__init__(options)
        self._given = os.fspath(existing_path(self.kind, path, folder=True))

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder."""
        return (self._given,)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the content of the files."""
        return [self._content(entry.key) for entry in entries]

    def sizes(self, entries: Sequence[Entry]) -> list[int]:
        """Return the sizes of the files."""
        return [image_bytes(os.path.join(self._root, entry.key)) for entry in entries]

    def _content(self, key: str) -> bytes:
        content = image_content(self.kind, os.path.join(self._root, key), key)
        refuse_pointer_content(self.kind, content, key)
        return content

    @property
    def _root(self) -> str:
        """The folder that keys are relative to."""
        return self._given

    @property
    @abstractmethod
    def _ignored(self) -> list[str]:
        """Patterns by `IGNORE_DESCRIPTION`."""

    def _walk(self, skipped: Skipped) -> Walk:
        return Walk(self.kind, self._root, self._ignored, skipped)

    def _images(self, walk: Walk, folder: str, others: "Others") -> Iterator[str]:
        """Yield the keys of the images below `folder`, names sorted; what is no image goes to `others`."""
        for item in walk.files(folder):
            if fault := _fault(item):
                others.add(item.name, fault)
            else:
                yield checked_key(self.kind, item.name)


class Others:
    """Counts files that are no images of a class, and keeps what is shown of them."""

    def __init__(self) -> None:
        self._count = 0
        self._first: list[str] = []

    def add(self, name: str, fault: str) -> None:
        """Count a file."""
        self._count += 1
        if len(self._first) < _SHOWN:
            self._first.append(f"{shown(name)} {fault}")

    def folders(self, items: Sequence[Item], place: str) -> list[str]:
        """Return the names of the folders among `items`; the others are counted as lying in no `place`."""
        for item in items:
            if not item.is_folder:
                self.add(item.name, _fault(item) or f"lies in no {place}")
        return [item.name for item in items if item.is_folder]

    def refuse(self, kind: str) -> None:
        """Raise SourceError, naming the first ones, if any were counted."""
        if self._count:
            more = ", ..." if self._count > len(self._first) else ""
            raise SourceError(
                f"source {kind}: {self._count} files cannot be used ({', '.join(self._first)}{more}): "
                "take them out or name them in the option 'ignore'"
            )


def some(names: Sequence[str]) -> str:
    """Return the first names on one line."""
    return ", ".join(map(plain, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")


def beside(left_out: Skipped) -> str:
    """Return what was left out, as the end of a sentence that says that nothing was found."""
    return f"; left out: {left_out}" if str(left_out) else ""


def _fault(item: Item) -> str | None:
    """Say why a file that is not ignored is no image, or None."""
    if not item.is_file:
        return "is no regular file"
    return None if item.name.lower().endswith(SUFFIXES) else "has no image's suffix"
