"""The output folder as a whole: whose it is, who may work on it, and what crashed writers left there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobs.generation.blueprint import open_sources
from jobs.generation.inputs import file_paths, folder_paths
from jobs.overwrite import Contents, claimed, spell_contents
from jobs.spec import GenerateJob
from pipeline.errors import PassbandError
from pipeline.lock import LOCK
from pipeline.manifest import JOB, PLAN
from pipeline.store import BLOCKS, FOLDERS, INPUTS, LocalStore, Store, open_store

FAILURES = "failures.json"
"""What failed in the last run, for ``status``."""


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


def refuse_foreign(store: Store) -> None:
    """Raise if the output holds files that are not ours: a run replaces README.md, for one."""
    own = {LOCK, PLAN}  # a run that was killed while it planned leaves these, and what its work begins from
    folders = ("", *(folder for folder in FOLDERS if folder not in (INPUTS, BLOCKS)))
    strange = [name for folder in folders for name in store.names(folder) if name not in own]
    if strange:
        raise PassbandError(
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
