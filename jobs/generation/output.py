"""The output folder as a whole: whose it is, who may work on it, and what crashed writers left there."""

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.generation.blueprint import open_sources
from jobs.spec import GenerateJob
from pipeline.errors import PassbandError
from pipeline.lock import LOCK
from pipeline.manifest import JOB, PLAN
from pipeline.store import BLOCKS, FOLDERS, INPUTS, LocalStore, Store, open_store


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
