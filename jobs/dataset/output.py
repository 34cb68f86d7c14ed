"""The output folder as a whole: whose it is, who may work on it, and what crashed writers left there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from passband.jobs.common.overwrite import Contents, OccupiedError, claimed, spell_contents
from passband.jobs.common.own_names import derived_names
from passband.jobs.dataset.blueprint import Blueprint, open_sources
from passband.jobs.dataset.inputs import file_paths, folder_paths
from passband.jobs.dataset.spec import GenerateJob
from passband.pipeline.errors import OutputError, PassbandError
from passband.pipeline.layout import BLOCKS, INPUTS, JOB, LOCK, PLAN, provenance_name, record_name, shard_name
from passband.pipeline.store import FOLDERS, LocalStore, Store, open_store

_REMOVING_S = 5.0  # in which a folder of many files is removed, or its job alone was


def refuse_nested_output(job: GenerateJob) -> None:
    """Raise if the output lies inside a source or a source inside the output."""
    store = open_store(job.output.uri)
    if not isinstance(store, LocalStore):
        return
    for source in open_sources(job):
        for path in source.paths:
            resolved = LocalStore(path).root
            if store.root.is_relative_to(resolved) or resolved.is_relative_to(store.root):
                raise PassbandError(
                    f"output.uri {store.uri} and the source {resolved} lie inside one another; choose another output"
                )


class Found:
    """An output as it was found: look before it is locked, which makes its folder."""

    def __init__(self, store: Store) -> None:
        self._store = store
        folders = (store.root, *store.root.parents) if isinstance(store, LocalStore) else ()
        self._made = [folder for folder in folders if not folder.exists()]
        self._is_new = isinstance(store, LocalStore) and not store.exists(LOCK)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Where the block fails before a job is stored there, remove what was made to begin: folders, lock, bare plan.

        The lock is removed while it is held, so that no other process holds it.
        """
        try:
            yield
        except BaseException:
            if self._is_new and not self._store.exists(JOB):
                self._restore(Path(self._store.uri))
            raise

    def _restore(self, root: Path) -> None:
        if root.is_dir() and {path.name for path in root.iterdir()} <= {LOCK, PLAN}:
            self._store.delete(PLAN)
        self._store.delete(LOCK)
        with suppress(OSError):  # there is something else
            for folder in self._made:
                folder.rmdir()


@contextmanager
def swept(store: Store) -> Iterator[None]:
    """Remove what a crashed run left behind, and then what workers that were stopped here leave."""
    store.sweep()
    try:
        yield
    finally:
        store.sweep()


@contextmanager
def still_there(store: Store, blueprint: Blueprint) -> Iterator[None]:
    """Tell a run whose output was removed under it from one that failed, and leave nothing that refuses the next run.

    What is written after that lies there without a job, and would be taken for somebody else's.
    """
    try:
        yield
    except Exception as error:
        if (removed := _removed(store, blueprint)) is not None:
            raise removed from error
        raise
    except BaseException:  # a signal is told as one
        _removed(store, blueprint)
        raise
    if (removed := _removed(store, blueprint)) is not None:
        raise removed


def _removed(store: Store, blueprint: Blueprint) -> OutputError | None:
    """Return the error of an output that is no longer this run's, and clear what was written after it was removed."""
    try:
        if store.exists(JOB):
            own = blueprint.identity.encode() in store.read(JOB)
            return None if own else OutputError(f"{store.uri}: was removed, and another run has begun there")
        if not _is_gone(store):
            return OutputError(f"{store.uri}: its {JOB} went away meanwhile; put it back, and run again")
        for name in _own_names(blueprint):
            store.delete(name)
        if isinstance(store, LocalStore):
            _remove_empty(store)
    except OSError:
        return None  # it cannot be told now: what happened first is what counts
    return OutputError(f"{store.uri}: was removed while the dataset was made; the same command begins anew")


def _is_gone(store: Store) -> bool:
    """Tell whether the plan is gone too, waiting for whoever is still removing; without it nothing can be kept."""
    end = time.monotonic() + _REMOVING_S
    while store.exists(PLAN):
        if time.monotonic() > end:
            return False
        time.sleep(_REMOVING_S / 50)
    return True


def _own_names(blueprint: Blueprint) -> Iterator[str]:
    """Yield the names of all that a run writes after its plan."""
    yield from derived_names(blueprint.job.name)
    for shard in range(blueprint.shards):
        yield from (shard_name(blueprint.job.name, shard), provenance_name(shard), record_name(shard))


def _remove_empty(store: LocalStore) -> None:
    for folder in (*FOLDERS, ""):
        with suppress(OSError):  # it is not there, or holds what is not ours
            store.path(folder).rmdir()


def refuse_foreign(store: Store) -> None:
    """Raise if the output holds files that are not ours: a run replaces README.md, for one."""
    own = {LOCK, PLAN}  # a run that was killed while it planned leaves these, and what its work begins from
    folders = ("", *(folder for folder in FOLDERS if folder not in (INPUTS, BLOCKS)))
    strange = [name for folder in folders for name in store.names(folder) if name not in own]
    if strange:
        raise OccupiedError(
            f"{store.uri}: holds {strange[0]}{' and more' if len(strange) > 1 else ''} but no {JOB}; "
            "choose an empty folder for the output"
        )


def replaceable(store: Store, job: GenerateJob) -> Contents | None:
    """Return what lies in an output that is to be written over; None where nothing does.

    Raises
    ------
    PassbandError
        If any of it is not ours, or is something that the job itself reads.
    """
    contents = claimed(store)
    if contents is not None and isinstance(store, LocalStore):
        for path in (*file_paths(job), *folder_paths(job)):
            if LocalStore(path).root.is_relative_to(store.root):
                raise PassbandError(
                    f"{store.uri}: holds {spell_contents(contents)}; the job reads {path} there, so nothing is deleted"
                )
    return contents
