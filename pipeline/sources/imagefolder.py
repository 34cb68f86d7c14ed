"""Source ``imagefolder``: one folder a class, image files below it."""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property

from pydantic import Field

from passband.pipeline.home import expanded
from passband.pipeline.sources import splits
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
_SHOWN = 5


class ImageFolderOptions(SourceOptions):
    """Options of ``imagefolder``."""

    path: str = Field(description="folder whose folders are the classes; or one of train, val and the like, by 'split'")
    split: str = Field(
        "",
        description="the split, such as train: of a folder whose folders are splits, the one that is read. It enters "
        "the random draws",
    )
    ignore: list[str] = Field(
        default=[], description=f"{IGNORE_DESCRIPTION}; any other file without an image's suffix is an error"
    )


class ImageFolder(Source):
    """Image files of a folder; the class is the first folder level, sorted, and the key the relative POSIX path.

    Names that start with a dot are skipped. Links are followed; a link to a folder that contains it is an error. A
    folder of splits is read by the option ``split``, with the keys of the split's own folder. A class folder without
    an image is a class.
    """

    kind = "imagefolder"
    decodes_files = True
    Options = ImageFolderOptions
    options: ImageFolderOptions

    def __init__(self, options: ImageFolderOptions) -> None:
        super().__init__(options)
        self._given = os.fspath(existing_path(self.kind, options.path, folder=True))
        self._twins = splits.Twins()

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder."""
        return (self._given,)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the folders, sorted."""
        left_out = Skipped()
        names = tuple(item.name for item in self._walk(left_out).scan() if item.is_folder)
        if not names:
            raise SourceError(f"source imagefolder: {self._said} has no folder, so no class{_beside(left_out)}")
        return tuple(checked_key(self.kind, name) for name in names)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of splits."""
        images = self._twins.first()
        mixed = (
            f"images of several splits are taken together: the names of {' and '.join(map(shown, images))} differ by "
            "the split alone; put each split into a folder of its own, or name the others in the option 'ignore'",
        )
        return self._warnings_of_folders() + (mixed if images else ())

    def _warnings_of_folders(self) -> tuple[str, ...]:
        split, place = self.options.split, os.path.basename(os.path.abspath(expanded(self.options.path)))
        classes, twins = self.classes, splits.Twins()
        for name in classes:
            twins.add(name)
        alike = [name for name in classes if twins.have(name)]
        told = f"the folders {_some(alike)} are taken as classes, and their names differ by the word of a split alone"
        found = (told,) if alike else ()
        if self._split_folder:
            return found
        if split and split in classes:
            return (f"the folder {split!r} is taken as a class; if it is a split, let path lead to it", *found)
        of_path = splits.warning(split, place, (), selected=False)
        return found if of_path is None else (of_path, *found)

    def entries(self) -> Iterator[Entry]:
        """List the images folder by folder, names sorted; files that are no images end the list with an error."""
        self.skipped.clear()
        self._twins = splits.Twins()
        for name in self._other_splits:
            self.skipped.add(splits.left_out(name), f"{name}/")
        walk, others, count = self._walk(self.skipped), _Others(), 0
        for item in walk.scan():
            if not item.is_folder:
                others.add(item.name, _fault(item) or "lies in no class folder")
        for label, name in enumerate(self.classes):
            for item in walk.files(name):
                if fault := _fault(item):
                    others.add(item.name, fault)
                else:
                    count += 1
                    self._twins.add(os.path.splitext(item.name)[0].removeprefix(f"{name}/"))
                    yield Entry(checked_key(self.kind, item.name), label, 0)
        if others.count:
            raise SourceError(
                f"source imagefolder: {others.count} files cannot be used ({others}): "
                "take them out or name them in the option 'ignore'"
            )
        if not count:
            raise SourceError(f"source imagefolder: {self._said} holds no image{_beside(self.skipped)}")

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

    def _walk(self, skipped: Skipped) -> Walk:
        return Walk(self.kind, self._root, self.options.ignore, skipped)

    @property
    def _said(self) -> str:
        return repr(self.options.path) + (f", folder {self._split_folder!r}," if self._split_folder else "")

    @property
    def _root(self) -> str:
        """The folder whose folders are the classes: the path, or in a folder of splits that of the split."""
        return os.path.join(self._given, self._split_folder)

    @property
    def _other_splits(self) -> list[str]:
        return [name for name in self._folders if self._split_folder and name != self._split_folder]

    @property
    def split_folders(self) -> tuple[str, ...]:
        """The folders that the path leads to where they are splits rather than classes; else none."""
        return tuple(self._folders) if _are_splits(self._top, self._folders) else ()

    @cached_property
    def _folders(self) -> list[str]:
        return [item.name for item in self._top.scan() if item.is_folder]

    @property
    def _top(self) -> Walk:
        return Walk(self.kind, self._given, self.options.ignore, Skipped())

    @cached_property
    def _split_folder(self) -> str:
        """The folder of the split in a folder of splits; "" where the path leads to the classes."""
        folders = list(self.split_folders)
        if not folders:
            return ""
        split, listed = self.options.split, _some(folders)
        chosen = [name for name in folders if name == split] or [n for n in folders if splits.belongs(n, split)]
        if len(chosen) != 1:
            which = f"which has no folder of the split {split!r}" if split else "not of classes"
            which = f"of which {_some(chosen)} are of the split {split!r}" if chosen else which
            raise SourceError(
                f"source imagefolder: {self.options.path!r} is a folder of splits ({listed}), {which}: let path lead "
                "to one of them, or name it with the option 'split'"
            )
        return chosen[0]


class _Others:
    """Counts files that are no images of a class, and keeps what is shown of them."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, name: str, fault: str) -> None:
        self.count += 1
        if len(self._first) < _SHOWN:
            self._first.append(f"{shown(name)} {fault}")

    def __str__(self) -> str:
        return ", ".join(self._first) + (", ..." if self.count > len(self._first) else "")


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(plain, names[:_SHOWN])) + (", ..." if len(names) > _SHOWN else "")


def _are_splits(top: Walk, folders: list[str]) -> bool:
    """Tell whether folders are splits rather than classes.

    They are if there are two of the usual names, or nothing but one that has folders, or if each differs from another
    by the word of a split alone. A class may be called train.
    """
    twins = splits.Twins()
    for name in folders:
        twins.add(name)
    if folders and all(map(twins.have, folders)):
        return True
    named = [name for name in folders if name.lower() in sum(splits.WORDS.values(), ())]
    if len(named) == 1 == len(folders):
        return any(item.is_folder for item in top.scan(named[0]))
    return len({split for name in named for split in splits.splits_in(name)}) > 1


def _fault(item: Item) -> str | None:
    """Say why a file that is not ignored is no image, or None."""
    if not item.is_file:
        return "is no regular file"
    return None if item.name.lower().endswith(SUFFIXES) else "has no image's suffix"


def _beside(left_out: Skipped) -> str:
    return f"; left out: {left_out}" if str(left_out) else ""
