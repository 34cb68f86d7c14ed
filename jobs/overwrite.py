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

from jobs.report.wording import count, size
from jobs.yamltext import read_store_yaml
from pipeline.documents import DocumentError, read_json
from pipeline.errors import OutputError, PassbandError, output_error
from pipeline.lock import LOCK
from pipeline.manifest import JOB, MANIFEST, PLAN
from pipeline.store import LocalStore, ObjectStore, Store, open_store

_RESULTS = "results.json"
_TEMPORARY = ".passband-*"
_TOLD_FILES = 6
_KINDS = {"generate": "dataset", "train": "training", "analyze": "analysis", "evaluate": "evaluation"}
_ANALYSIS = ("blocks/*.json", "blocks/images.npz", "blocks/model.pt", "maps.npz", "*.png", _RESULTS, JOB)
_PLANNED = (PLAN, "inputs/*", "inputs/*map*/.lock", *(f"inputs/*map*/{name}" for name in _ANALYSIS))
_OWN = {
    "dataset": (
        *(*_PLANNED, JOB, "shards/*.tar", "shards/_info.json", "records/*.json", "records/*.parquet", "*.beton"),
        *("README.md", "report.html", "failures.json", "manifest.json", "manifest.*"),
    ),
    "training": (
        *("model.pt", "model.pt.*", "checkpoint.pt", "checkpoint.pt.*", "metrics.jsonl", "nonfinite.json"),
        *("tensorboard/events.out.tfevents.*", _RESULTS, JOB),
    ),
    "analysis": _ANALYSIS,
    "evaluation": ("predictions/*.npz", "report.html", _RESULTS),
}
"""Kind of output -> the files that it has, as patterns whose ``*`` stays within one folder."""
_BEGUN = {"evaluation": ("predictions/*.npz",), "dataset": _PLANNED}
"""What an output may hold that was killed before a file told what it is."""
_LAST = (JOB, MANIFEST, _RESULTS)
"""What tells whose the folder is; deleted last, so that what a kill leaves can still be overwritten."""


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
    for file in files:
        if not any(_matches(file, pattern) for pattern in _OWN[kind]) and not _is_temporary(file):
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


def clear_output(store_or_folder: Store | str | Path, *, confirmed: bool, kind: str) -> None:
    """Delete what lies in an output folder; its lock stays, which the caller holds.

    Call it after the last check of the job that is to be written there.

    Parameters
    ----------
    confirmed : whether that was agreed to; False asks on a terminal, and refuses elsewhere
    kind : what is to be written there, "dataset" or "training"
    """
    store = open_store(store_or_folder) if isinstance(store_or_folder, str | Path) else store_or_folder
    contents = claimed(store)
    if contents is None:
        return
    if not confirmed:
        ask_overwrite(contents, yes=False, kind=kind)
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
        yield from _walk(store.root, "", store.uri)


def _walk(folder: Path, prefix: str, uri: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/", uri)
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
    for marker in (MANIFEST, _RESULTS):
        found = _json(store, marker) if marker in files else {}
        kind = "dataset" if marker == MANIFEST and "shards" in found else _KINDS.get(str(found.get("kind")))
        if kind is not None:
            return kind, str(found.get("name", ""))[:100]
    for kind, patterns in _BEGUN.items():
        if all(any(_matches(file, pattern) for pattern in patterns) or _is_temporary(file) for file in files):
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


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _is_temporary(name: str) -> bool:
    return fnmatchcase(name.rpartition("/")[2], _TEMPORARY)


def _remove_empty(root: Path) -> None:
    """Remove the folders below `root`, all of them empty by now; one that is not was filled by another writer."""
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root:
            with suppress(OSError):
                Path(folder).rmdir()
