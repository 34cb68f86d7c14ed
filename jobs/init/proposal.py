"""Which source reads what lies in a folder: class folders, domains of them, tar shards, Parquet files or CIFAR."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.dataset.plan import shorten
from passband.pipeline.errors import PassbandError
from passband.pipeline.home import expanded
from passband.pipeline.sources import splits
from passband.pipeline.sources.classfolders import SUFFIXES
from passband.pipeline.sources.imagefolder import ImageFolder, ImageFolderOptions
from passband.pipeline.sources.limits import plain, shown
from passband.pipeline.sources.local import is_path, spelled
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.sources.walk import Item, Walk

_TARS = (".tar", ".tar.gz", ".tgz")
_PARQUET = ".parquet"
_FEW = 10  # images beside tar or Parquet files: pictures of a README, say
_SHOWN = 5
_CIFAR = {
    "cifar10": (("batches.meta.txt", "data_batch_1.bin"), ("batches.meta", "data_batch_1")),
    "cifar100": (("fine_label_names.txt", "train.bin"), ("meta", "train", "test")),
}
"""Kind -> the files that tell a folder of it, of the binary and of the Python version."""
_CIFAR_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py", "cifar-100-binary", "cifar-100-python")


class InitError(PassbandError):
    """A folder that no job can be made of; the message says what it lacks."""


@dataclass(frozen=True)
class Proposal:
    """The source of a first job.

    Attributes
    ----------
    source : its kind and options, as they stand in a job file
    other_splits : what the option ``split`` may say instead
    warnings : why it is not simply the folder, a sentence each
    """

    source: dict[str, Any]
    other_splits: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Seen:
    """The files below a folder, by what reads them."""

    images: int = 0
    tars: list[str] = field(default_factory=list)
    parquets: list[str] = field(default_factory=list)
    other: dict[str, int] = field(default_factory=dict)  # pattern that matches them -> how many


def refuse_missing(path: str) -> None:
    """Raise InitError if there is nothing at `path`."""
    if not is_path(path) or not os.path.exists(expanded(path)):
        raise InitError(f"{spelled(path)}: there is no such folder")


def propose_source(path: str) -> Proposal:
    """Return the source that reads what lies at `path`.

    Raises
    ------
    InitError
        There is nothing, or nothing that a source reads, or a name that no job file can hold.
    SourceError
        A folder cannot be listed, or is a link to one that contains it.
    """
    refuse_missing(path)
    found = _proposed(path.rstrip("/") or path[:1])
    for option in found.source.values():
        for text in [option] if isinstance(option, str) else option:
            _refuse_no_text(text)
    return found


def _refuse_no_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InitError(f"the name {shown(name)} is not valid UTF-8: no job file can hold it; rename it") from error


def _proposed(path: str) -> Proposal:
    if not os.path.isdir(expanded(path)):
        return _of_file(path)
    for inner in ("", *_CIFAR_FOLDERS):
        folder = os.path.join(path, inner) if inner else path
        if (kind := _cifar(expanded(folder))) is not None:
            return Proposal({"kind": kind, "path": folder, "split": "train"}, ("test",))
    seen = _look(expanded(path))
    if seen.images >= _FEW or (seen.images and not seen.tars and not seen.parquets):
        return _of_images(path, seen)
    if seen.tars or seen.parquets:
        kind, files = ("webdataset", seen.tars) if seen.tars else ("parquet", seen.parquets)
        return _of_files(path, kind, files)
    raise InitError(f"{spelled(path)}: holds no image, .tar or .parquet file; images end in {', '.join(SUFFIXES)}")


def _of_file(path: str) -> Proposal:
    if path.endswith(_TARS):
        return Proposal({"kind": "webdataset", "path": path})
    if path.endswith(_PARQUET):
        return Proposal({"kind": "parquet", "path": path})
    raise InitError(f"{spelled(path)}: is a file; a folder of images is needed, or a .tar or .parquet file")


def _cifar(folder: str) -> str | None:
    for kind, versions in _CIFAR.items():
        if any(all(os.path.isfile(os.path.join(folder, name)) for name in names) for names in versions):
            return kind
    return None


def _look(root: str) -> _Seen:
    seen = _Seen()
    for item in Walk("imagefolder", root, (), Skipped()).files():
        name = item.name.rpartition("/")[2]
        if name.lower().endswith(SUFFIXES):
            seen.images += 1
            continue
        if name.endswith(_TARS):
            seen.tars.append(item.name)
        elif name.endswith(_PARQUET):
            seen.parquets.append(item.name)
        suffix = os.path.splitext(name)[1]
        pattern = f"*{glob.escape(suffix)}" if suffix else glob.escape(name)
        seen.other[pattern] = seen.other.get(pattern, 0) + 1
    return seen


def _of_files(path: str, kind: str, files: Sequence[str]) -> Proposal:
    """Return a source of tar or Parquet files; of several splits one is chosen, as they are not to be mixed."""
    source = {"kind": kind, "path": path}
    found = [split for split in splits.splits_of(files) if split in splits.WORDS]
    if len(found) < 2:
        return Proposal(source)
    told = f"the files speak of the splits {', '.join(found)}; the job reads {found[0]} alone, by its option 'split'"
    return Proposal(source | {"split": found[0]}, tuple(found[1:]), (told,))


def _of_images(path: str, seen: _Seen) -> Proposal:
    """Return a source of class folders, below folders that hold nothing but one other."""
    ignore, given = sorted(seen.other), path
    told: list[str] = []
    while True:
        source = ImageFolder(ImageFolderOptions(path=path, split="", ignore=ignore))
        if folders := source.split_folders:
            chosen = _chosen(folders)
            _refuse_without_classes(f"{path}/{chosen}", ignore)
            named = shorten([plain(name) for name in folders], _SHOWN)
            told.append(
                f"{plain(path)} is a folder of splits ({named}); the job reads {plain(chosen)} alone, by its "
                "option 'split'"
            )
            others = tuple(name for name in folders if name != chosen)
            return Proposal(_options(path, ignore, split=chosen), others, tuple(told))
        inner = _only_folder(expanded(path), ignore)
        if inner is None:
            break
        path = os.path.join(path, inner)
    _refuse_without_classes(path, ignore)
    if domains := _domains(path, ignore):
        told.append(
            f"the folders of {plain(path)} ({shorten([plain(name) for name in domains], _SHOWN)}) hold folders of the "
            "same names; the job reads them as domains"
        )
        return Proposal({**_options(path, ignore), "kind": "domains"}, (), tuple(told))
    if path != given:
        told.append(f"{plain(given)} holds one folder, which holds others; the job reads {plain(path)}")
    return Proposal(_options(path, ignore), (), tuple(told))


def _options(path: str, ignore: list[str], **more: str) -> dict[str, Any]:
    return {"kind": "imagefolder", "path": path, **more, **({"ignore": ignore} if ignore else {})}


def _chosen(folders: Sequence[str]) -> str:
    """Return the folder of the split that is trained on, or the first one."""
    return next((name for split in splits.WORDS for name in folders if splits.belongs(name, split)), folders[0])


def _scan(folder: str, ignore: Sequence[str]) -> list[Item]:
    return Walk("imagefolder", folder, ignore, Skipped()).scan()


def _only_folder(folder: str, ignore: Sequence[str]) -> str | None:
    """Return the name of the one thing in `folder`, if it is a folder that holds folders and no file."""
    items = _scan(folder, ignore)
    if len(items) != 1 or not items[0].is_folder:
        return None
    inner = _scan(os.path.join(folder, items[0].name), ignore)
    return items[0].name if inner and all(item.is_folder for item in inner) else None


def _domains(path: str, ignore: Sequence[str]) -> list[str]:
    """Return the names of the folders if they are domains: several, of folders alone, two or more of them shared."""
    folders = _scan(expanded(path), ignore)
    if len(folders) < 2 or not all(item.is_folder for item in folders):
        return []
    inner = [_scan(os.path.join(expanded(path), item.name), ignore) for item in folders]
    if not all(items and all(item.is_folder for item in items) for items in inner):
        return []
    shared = set.intersection(*({item.name for item in items} for items in inner))
    return [item.name for item in folders] if len(shared) > 1 else []


def _refuse_without_classes(folder: str, ignore: Sequence[str]) -> None:
    if not any(item.is_folder for item in _scan(expanded(folder), ignore)):
        raise InitError(
            f"{spelled(folder)}: holds images, but no folder for each class; put the images of each class into a "
            "folder of their own"
        )
