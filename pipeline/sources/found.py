"""Which files a path stands for: one file, those below a folder, or those that match a pattern.

A file's name, which enters keys, is its path as given: below the folder, or below the deepest folder that holds all
matches of a pattern. Where links lead does not matter.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from passband.pipeline.home import expanded
from passband.pipeline.sources import splits
from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import shown
from passband.pipeline.sources.local import existing_path, is_path, refuse_pointer, spelled
from passband.pipeline.sources.pattern import MARKS, Expansion, alternatives
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import Item, Walk


@dataclass(frozen=True)
class Wanted:
    """Which files a source reads.

    Attributes
    ----------
    kind : the source
    path, split, ignore : its options
    suffixes : what the names of its files end in; the first is the one that messages name
    walk : how it looks through folders
    """

    kind: str
    path: str
    split: str
    ignore: Sequence[str]
    suffixes: tuple[str, ...]
    walk: type[Walk] = Walk


@dataclass(frozen=True)
class Found:
    """The files of a source.

    Attributes
    ----------
    root : the folder or file that the path names; None for a pattern
    files : name -> file, sorted by the parts of the name
    warnings : what a person should know of how they were chosen
    """

    root: Path | None
    files: dict[str, Path]
    warnings: tuple[str, ...]


def find_files(wanted: Wanted, skipped: Skipped) -> Found:
    """Look for the files of a source; what is left out is counted in `skipped`.

    Raises
    ------
    SourceError
        The path leads nowhere, no file is left, a folder cannot be listed or contains itself, a file is a pointer of
        Git LFS, or none is of a split that others are of.
    HomeError
        The path begins with ``~``, and the home folder is not known.
    """
    if not is_path(wanted.path):
        raise SourceError(f"source {wanted.kind}: path {spelled(wanted.path)} does not exist")
    path = expanded(wanted.path)
    root: Path | None = None
    if os.path.lexists(path) or not any(mark in path for mark in MARKS):
        root, place, files = _at(wanted, path, skipped)
    else:
        place, files = _matches(wanted, path, skipped)
    if not files:
        left_out = f"; left out: {skipped}" if str(skipped) else ""
        what = "pattern" if root is None else "folder"
        raise SourceError(
            f"source {wanted.kind}: the {what} {spelled(wanted.path)} holds no {wanted.suffixes[0]} file{left_out}"
        )
    chosen = _of_split(wanted, files, skipped, selects=root is not None)
    warning = splits.warning(wanted.split, place, list(chosen), selected=len(chosen) < len(files))
    for file in chosen.values():
        refuse_pointer(wanted.kind, file)
    by_parts = dict(sorted(chosen.items(), key=lambda item: item[0].split("/")))
    return Found(root, by_parts, () if warning is None else (warning,))


def _at(wanted: Wanted, path: str, skipped: Skipped) -> tuple[Path, str, dict[str, Path]]:
    """Return what is at `path`, resolved but for a file's own link, the name of its folder, and the files."""
    resolved, given = existing_path(wanted.kind, wanted.path), Path(os.path.abspath(path))
    if resolved.is_dir():
        return resolved, given.name, _below(wanted, str(resolved), skipped)
    _refuse_irregular(wanted, wanted.path, resolved.is_file())
    file = Path(path).absolute().parent.resolve() / given.name
    return file, given.parent.name, {file.name: file}


def _below(wanted: Wanted, root: str, skipped: Skipped) -> dict[str, Path]:
    walk = wanted.walk(wanted.kind, root, wanted.ignore, skipped)
    return {item.name: Path(root, item.name) for item in walk.files() if _takes(wanted, item, skipped)}


def _takes(wanted: Wanted, item: Item, skipped: Skipped) -> bool:
    taken = _has_suffix(wanted, item.name, skipped)
    if taken:
        _refuse_irregular(wanted, item.name, item.is_file)
    return taken


def _has_suffix(wanted: Wanted, name: str, skipped: Skipped) -> bool:
    if not name.endswith(wanted.suffixes):
        skipped.add(f"not {wanted.suffixes[0]}", name)
    return name.endswith(wanted.suffixes)


def _refuse_irregular(wanted: Wanted, name: str, is_file: bool) -> None:
    if not is_file:
        raise SourceError(f"source {wanted.kind}: {shown(name)} is no regular file, or a link to nothing")


def _matches(wanted: Wanted, pattern: str, skipped: Skipped) -> tuple[str, dict[str, Path]]:
    """Return the folder that a pattern begins with and what matches, by its path below the deepest shared folder."""
    fixed, rest = _fixed(pattern)
    walk = wanted.walk(wanted.kind, fixed, wanted.ignore, skipped)
    expansion = Expansion(walk)
    names: set[str] = set()
    for part in alternatives(wanted.kind, wanted.path, rest):
        names.update(name or "." for name in expansion.names(part))
    inner = {name for name in names if any(above in names for above in _above(name))}  # of a folder that matches too
    for name, is_folder in expansion.left_out.items():
        if not any(above in names for above in _above(name)):  # else the walk below meets it
            walk.skips(name, is_folder)
    taken = {match: list(_matched(wanted, walk, match)) for match in sorted(names - inner)}
    if any(name.endswith(wanted.suffixes) for below in taken.values() for name in below):
        taken = {
            match: [name for name in below if _has_suffix(wanted, name, skipped)] for match, below in taken.items()
        }
    folders = [_folder(fixed, match) for match, below in taken.items() if below]
    shared = os.path.commonpath(folders) if folders else fixed
    files = {os.path.normpath(os.path.join(fixed, name)) for below in taken.values() for name in below}
    return os.path.basename(shared), {os.path.relpath(file, shared): Path(file) for file in files}


def _above(name: str) -> Iterator[str]:
    """Yield the folders above `name`, a path below the folder that a pattern begins with."""
    if name != ".":
        yield "."
    parts = name.split("/")
    yield from ("/".join(parts[:count]) for count in range(1, len(parts)))


def _folder(fixed: str, match: str) -> str:
    """Return the folder that holds a match; ** matches the folder that the pattern begins with, which holds itself."""
    return fixed if match == "." else os.path.dirname(os.path.normpath(os.path.join(fixed, match)))


def _matched(wanted: Wanted, walk: Walk, name: str) -> Iterator[str]:
    """Yield the file that matched, or those below a folder that did."""
    path = os.path.join(walk.root, name)
    if os.path.isdir(path):
        yield from (item.name for item in walk.files("" if name == "." else name) if _takes(wanted, item, walk.skipped))
    else:
        _refuse_irregular(wanted, name, os.path.isfile(path))
        yield name


def _fixed(pattern: str) -> tuple[str, str]:
    """Return the folder that a pattern begins with, resolved, and the rest.

    The rest begins with the first part that has a mark and is not, as it stands, the name of a folder.
    """
    parts = pattern.split("/")
    marked = (number for number, part in enumerate(parts) if any(mark in part for mark in MARKS))
    count = next(number for number in marked if not os.path.isdir("/".join(parts[: number + 1])))
    folder = "/".join(parts[:count]) or ("/" if count else ".")
    return os.path.realpath(folder), "/".join(parts[count:])


def _of_split(wanted: Wanted, files: dict[str, Path], skipped: Skipped, *, selects: bool) -> dict[str, Path]:
    """Return the files of the split where names speak of it, else all.

    With `selects`, not so for a pattern, a split that no name speaks of is refused where each speaks of another.
    """
    split = wanted.split
    chosen = {name: file for name, file in files.items() if splits.belongs(name, split)}
    if not chosen:
        spoken = splits.splits_of(files)
        unheard = selects and split.lower() not in splits.WHOLE and all(splits.splits_of([name]) for name in files)
        if spoken and len(files) > 1 and (splits.splits_in(split) or unheard):
            raise SourceError(
                f"source {wanted.kind}: no file of {spelled(wanted.path)} is of the split {split!r}: their names "
                f"speak of {', '.join(spoken)}; name one of these, or leave 'split' out"
            )
        return files
    for name in sorted(files.keys() - chosen.keys()):
        skipped.add(splits.left_out(name), name)
    return chosen
