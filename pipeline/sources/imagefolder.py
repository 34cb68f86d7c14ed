"""Source ``imagefolder``: one folder a class, image files below it."""

import os
from collections.abc import Iterator
from functools import cached_property

from pydantic import Field

from passband.pipeline.home import expanded
from passband.pipeline.sources import splits
from passband.pipeline.sources.base import Entry, SourceError, SourceOptions
from passband.pipeline.sources.classfolders import IGNORE_OR_ERROR, ClassFolders, Others, beside, some
from passband.pipeline.sources.limits import shown
from passband.pipeline.sources.local import checked_key
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import Walk


class ImageFolderOptions(SourceOptions):
    """Options of ``imagefolder``."""

    path: str = Field(description="folder whose folders are the classes; or one of train, val and the like, by 'split'")
    split: str = Field(
        "",
        description="the split, such as train: of a folder whose folders are splits, the one that is read. It enters "
        "the random draws",
    )
    ignore: list[str] = Field(default=[], description=IGNORE_OR_ERROR)


class ImageFolder(ClassFolders):
    """Image files of a folder; the class is the first folder level, sorted, and the key the relative POSIX path.

    Names that start with a dot are skipped. Links are followed; a link to a folder that contains it is an error. A
    folder of splits is read by the option ``split``, with the keys of the split's own folder. A class folder without
    an image is a class.
    """

    kind = "imagefolder"
    Options = ImageFolderOptions
    options: ImageFolderOptions

    def __init__(self, options: ImageFolderOptions) -> None:
        super().__init__(options, options.path)
        self._twins = splits.Twins()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the folders, sorted."""
        left_out = Skipped()
        names = tuple(item.name for item in self._walk(left_out).scan() if item.is_folder)
        if not names:
            raise SourceError(f"source imagefolder: {self._said} has no folder, so no class{beside(left_out)}")
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
        told = f"the folders {some(alike)} are taken as classes, and their names differ by the word of a split alone"
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
        walk, others, count = self._walk(self.skipped), Others(), 0
        others.folders(walk.scan(), "class folder")
        for label, name in enumerate(self.classes):
            for key in self._images(walk, name, others):
                count += 1
                self._twins.add(os.path.splitext(key)[0].removeprefix(f"{name}/"))
                yield Entry(key, label, 0)
        others.refuse(self.kind)
        if not count:
            raise SourceError(f"source imagefolder: {self._said} holds no image{beside(self.skipped)}")

    @property
    def _ignored(self) -> list[str]:
        return self.options.ignore

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
        split, listed = self.options.split, some(folders)
        chosen = [name for name in folders if name == split] or [n for n in folders if splits.belongs(n, split)]
        if len(chosen) != 1:
            which = f"which has no folder of the split {split!r}" if split else "not of classes"
            which = f"of which {some(chosen)} are of the split {split!r}" if chosen else which
            raise SourceError(
                f"source imagefolder: {self.options.path!r} is a folder of splits ({listed}), {which}: let path lead "
                "to one of them, or name it with the option 'split'"
            )
        return chosen[0]


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
