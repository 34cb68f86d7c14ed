"""What lies in an output folder that is to be written over: told first, and deleted only where all of it is ours.

Nothing is judged by a name alone: ``job.yaml``, the manifest or the results must say what the folder is, and then
every file in it must be one that such an output has. One stranger, or one link, and nothing is deleted.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import typer

from passband.jobs.common.own_names import is_begun, is_own
from passband.jobs.common.wording import count, size
from passband.jobs.common.yamltext import read_store_yaml
from passband.pipeline.documents import DocumentError, read_json
from passband.pipeline.errors import OutputError, PassbandError, output_error
from passband.pipeline.layout import JOB, LOCK, MANIFEST, RESULTS
from passband.pipeline.store import LocalStore, ObjectStore, Store, open_store

_TEMPORARY = ".passband-*"
_TOLD_FILES = 6
_KINDS = {"generate": "dataset", "train": "training", "analyze": "analysis", "evaluate": "evaluation"}
_BEGUN = ("evaluation", "dataset")
"""What may have been killed before a file told what it is."""
_LAST = (JOB, MANIFEST, RESULTS)
"""What tells whose the folder is; deleted last, so that what a kill leaves can still be overwritten."""


class OccupiedError(PassbandError):
    """A folder that holds another output than the one that is to be written there, or files without a job."""


@dataclass(frozen=True)
class Contents:
    """What lies in an output folder.

    Attributes
    ----------
    kind : "dataset", "training", "analysis" or "evaluation"
    files : (name below the folder, bytes), sorted
    """

    uri: str
    kind: str
    name: str
    files: tuple[tuple[str, int], ...]

    @property
    def bytes(self) -> int:
        """Bytes of all files together."""
        return sum(num_bytes for _, num_bytes in self.files)


def claimed(folder: Store | str | Path) -> Contents | None:
    """Return what lies in an output folder, or None where nothing does; nothing is changed.

    Raises
    ------
    PassbandError
        If anything there is not of an output of ours, or is a link: it is named.
    """
    store = open_store(folder) if isinstance(folder, str | Path) else folder
    files = dict(_files(store))
    files.pop(LOCK, None)
    if not files:
        return None
    kind, name = _told(store, files)
    own = is_own(kind, name)
    for file in files:
        if not own(file) and not _is_temporary(file):
            raise PassbandError(
                f"{store.uri}: holds {file}, which is not part of the {kind} there; nothing is overwritten. Move it, "
                "or choose another output"
            )
    return Contents(store.uri, kind, name, tuple(sorted(files.items())))


def spell_contents(contents: Contents) -> str:
    """Spell what lies in a folder: "the training digits: 5 files, 3.2 MB (model.pt 3.1 MB, ...)"."""
    largest = sorted(contents.files, key=lambda file: (-file[1], file[0]))
    told = [f"{name} {size(num_bytes)}" for name, num_bytes in largest[:_TOLD_FILES]]
    more = len(largest) - len(told)
    listed = ", ".join([*told, *([f"and {more:,} more"] if more else [])])
    files = f"{count(len(contents.files), 'file')}, {size(contents.bytes)} ({listed})"
    return f"the {contents.kind} {contents.name}: {files}" if contents.name else f"a {contents.kind}: {files}"


def ask_overwrite(contents: Contents, *, yes: bool, kind: str) -> None:
    """Tell what would be deleted, and return only if that is wanted.

    Parameters
    ----------
    yes : agreed to on the command line
    kind : what is to be written there

    Raises
    ------
    PassbandError
        If it is not wanted, or there is nobody to ask and `yes` is not given.
    """
    told = f"{contents.uri}: holds {spell_contents(contents)}"
    if yes:
        typer.echo(f"{told}; all of it is deleted before the {kind} begins", err=True)
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise PassbandError(f"{told}; add --yes to delete all of it and write the {kind} there")
    typer.echo(told, err=True)
    try:
        agreed = typer.confirm(f"Delete all of it and write the {kind} there?", err=True)
    except typer.Abort:  # the terminal was closed, or ctrl-D
        typer.echo(err=True)  # the question has no end of line
        agreed = False
    if not agreed:
        raise PassbandError(f"{contents.uri}: nothing was deleted")


def clear_output(store_or_folder: Store | str | Path, agreed: Contents) -> None:
    """Delete what lies in an output folder; its lock stays, which the caller holds.

    Call it after the last check of the job that is to be written there.

    Parameters
    ----------
    agreed : what was told to be deleted

    Raises
    ------
    PassbandError
        If something else lies there by now; nothing is deleted.
    """
    store = open_store(store_or_folder) if isinstance(store_or_folder, str | Path) else store_or_folder
    contents = claimed(store)
    if contents is None:
        return
    new = set(contents.files) - set(agreed.files)
    untold = sorted(name for name, _ in new if not _is_temporary(name))
    if untold or (contents.kind, contents.name) != (agreed.kind, agreed.name):
        raise PassbandError(
            f"{store.uri}: {untold[0] if untold else f'the {contents.kind} {contents.name}'} came there after it was "
            "told what is deleted; nothing was deleted. Give the command again to see all of it"
        )
    try:
        for name in sorted((name for name, _ in contents.files), key=lambda name: (name in _LAST, name)):
            store.delete(name)
        if isinstance(store, LocalStore):
            _remove_empty(store.root)
    except OSError as error:
        raise output_error(error, store.uri) or OutputError(f"cannot delete {store.uri}: {error.strerror}") from error


def _files(store: Store) -> Iterator[tuple[str, int]]:
    """Yield (name, bytes) of every file below a store, temporary ones too; raise PassbandError for a link."""
    if isinstance(store, ObjectStore):
        store.files.invalidate_cache()
        for key, entry in store.files.find(store.prefix, detail=True).items():
            yield key[len(store.prefix) + 1 :], int(entry["size"])
    elif isinstance(store, LocalStore) and store.root.is_dir():
        yield from _walk(store.root, store.uri)


def _walk(root: Path, uri: str) -> Iterator[tuple[str, int]]:
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(root / prefix) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    yield name, entry.stat(follow_symlinks=False).st_size
                else:
                    what = "a link" if entry.is_symlink() else "no plain file"
                    raise PassbandError(
                        f"{uri}: {name} is {what}; nothing is overwritten. Move it, or choose another output"
                    )


def _told(store: Store, files: dict[str, int]) -> tuple[str, str]:
    """Return kind and name of the output, as its own files say them."""
    given = _yaml(store, JOB) if JOB in files else None
    job = given.get("job") if isinstance(given, dict) else None
    kind = _KINDS.get(str(job.get("kind"))) if isinstance(job, dict) else None
    if isinstance(job, dict) and kind is not None:
        return kind, str(job.get("name", ""))[:100]
    for marker in (MANIFEST, RESULTS):
        found = _json(store, marker) if marker in files else {}
        kind = "dataset" if marker == MANIFEST and "shards" in found else _KINDS.get(str(found.get("kind")))
        if kind is not None:
            return kind, str(found.get("name", ""))[:100]
    for kind in _BEGUN:
        begun = is_begun(kind)
        if all(begun(file) or _is_temporary(file) for file in files):
            return kind, ""
    raise PassbandError(
        f"{store.uri}: holds {min(files)}{' and more' if len(files) > 1 else ''}, and nothing there says that it is an "
        "output of ours; nothing is overwritten. Choose another output"
    )


def _yaml(store: Store, name: str) -> Any:
    """Return what a YAML file of a store says; None where it is damaged."""
    with suppress(PassbandError, OSError):
        return read_store_yaml(store, name)
    return None


def _json(store: Store, name: str) -> dict[str, Any]:
    try:
        found = read_json(store, name)
    except (OSError, DocumentError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_temporary(name: str) -> bool:
    return fnmatchcase(name.rpartition("/")[2], _TEMPORARY)


def _remove_empty(root: Path) -> None:
    """Remove the folders below `root`, all of them empty by now; one that is not was filled by another writer."""
    folders = [root]
    for folder in folders:
        folders += [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    for folder in reversed(folders[1:]):
        with suppress(OSError):
            folder.rmdir()
