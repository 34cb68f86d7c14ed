"""Source ``imagefolder``: one folder a class, image files below it."""

import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence

from pydantic import Field

from pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from pipeline.sources.local import checked_key, existing_path

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""What an image file's name ends in, in any case."""
_SHOWN = 5


class ImageFolderOptions(SourceOptions):
    """Options of ``imagefolder``."""

    path: str = Field(description="folder whose folders are the classes")
    split: str = Field("", description="name of the split, such as train; it enters the random draws, not the path")
    ignore: list[str] = Field(
        default=[],
        description="patterns of files that are no images, such as '*.txt', held against the file's name and its "
        "path below the folder; any other file without an image's suffix is an error",
    )


class ImageFolder(Source):
    """Image files of a folder; the class is the first folder level, sorted, and the key the relative POSIX path.

    Names that start with a dot are skipped. Links are followed; a link to a folder that contains it is an error.
    """

    kind = "imagefolder"
    Options = ImageFolderOptions
    options: ImageFolderOptions

    def __init__(self, options: ImageFolderOptions) -> None:
        super().__init__(options)
        self._root = os.fspath(existing_path(self.kind, options.path, folder=True))

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder."""
        return (self._root,)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the folders, sorted."""
        names = tuple(item.name for item in self._scan("") if _is_folder(item))
        if not names:
            raise SourceError(f"source imagefolder: {self.options.path!r} has no folder, so no class")
        return tuple(checked_key(self.kind, name) for name in names)

    def entries(self) -> Iterator[Entry]:
        """List the images folder by folder, names sorted; files that are no images end the list with an error."""
        others: list[str] = []
        count = 0
        for item in self._scan(""):
            if not _is_folder(item):
                self._sort_out(item.name, item, others, "lies in no class folder")
        for label, name in enumerate(self.classes):
            for key in self._images(name, (_identity(self._root),), others):
                count += 1
                yield Entry(checked_key(self.kind, key), label, 0)
        if others:
            shown = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
            raise SourceError(
                f"source imagefolder: {len(others)} files cannot be used ({shown}): "
                "take them out or name them in the option 'ignore'"
            )
        if not count:
            raise SourceError(f"source imagefolder: {self.options.path!r} holds no image")

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the content of the files."""
        return [self._content(entry.key) for entry in entries]

    def _content(self, key: str) -> bytes:
        try:
            with open(os.path.join(self._root, key), "rb") as file:
                return file.read()
        except OSError as error:
            raise SourceError(f"source imagefolder: cannot read {key!r}: {error.strerror}") from error

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self._root, folder)) as items:
                return sorted((item for item in items if not item.name.startswith(".")), key=lambda item: item.name)
        except OSError as error:
            raise SourceError(f"source imagefolder: cannot list {folder or '.'!r}: {error.strerror}") from error

    def _images(self, folder: str, above: tuple[tuple[int, int], ...], others: list[str]) -> Iterator[str]:
        """Yield the keys below `folder`; `above` are the folders that contain it, `others` collects the rest."""
        this = _identity(os.path.join(self._root, folder))
        if this in above:
            raise SourceError(f"source imagefolder: {folder!r} is a link to a folder that contains it")
        for item in self._scan(folder):
            key = f"{folder}/{item.name}"
            if _is_folder(item):
                yield from self._images(key, (*above, this), others)
            elif self._sort_out(key, item, others):
                yield key

    def _sort_out(self, key: str, item: os.DirEntry[str], others: list[str], fault: str = "") -> bool:
        """Tell whether the item is an image of a class; note it in `others` if it is neither that nor ignored."""
        if any(fnmatch.fnmatchcase(name, pattern) for name in (item.name, key) for pattern in self.options.ignore):
            return False
        if not _is_file(item):
            fault = fault or "is no regular file"
        elif not item.name.lower().endswith(SUFFIXES):
            fault = fault or "has no image's suffix"
        if fault:
            others.append(f"{ascii(key)} {fault}")
        return not fault


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    assert stat.S_ISDIR(status.st_mode)
    return status.st_dev, status.st_ino


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError:
        return False
