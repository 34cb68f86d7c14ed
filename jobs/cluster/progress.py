"""How far a job is, read from its output alone: it needs neither the cluster nor the process that does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from passband.jobs.common.jobfile import read_yaml
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import BLOCKS, JOB, RESULTS
from passband.pipeline.lock import is_locked
from passband.pipeline.store import LocalStore, Store, open_store


@dataclass(frozen=True)
class Progress:
    """What an output says.

    Attributes
    ----------
    state : ``not begun``, ``running``, ``unfinished`` or ``finished``
    done, total : int or None
        In units of `unit`; None where the output does not say.
    """

    state: str
    unit: str
    done: int | None = None
    total: int | None = None

    def spelled(self) -> str:
        """Spell it in a few words."""
        if self.done is None:
            return self.state
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.done:,}{of} {self.unit}"


def read_progress(kind: str, uri: str) -> Progress:
    """Return how far the output of a job of `kind` is; nothing there is changed.

    Raises
    ------
    PassbandError
        If the output is damaged, or holds something else.
    """
    store = open_store(uri)
    unit, count = _KINDS[kind]
    if isinstance(store, LocalStore) and not store.root.is_dir():
        return Progress("not begun", unit)
    running = is_locked(store)
    if not store.exists(JOB) and kind != "evaluate":
        return Progress("running" if running else "not begun", unit)
    finished, done, total = count(store)
    return Progress("finished" if finished else "running" if running else "unfinished", unit, done, total)


Count = tuple[bool, int | None, int | None]


def _shards(store: Store) -> Count:
    from passband.jobs.dataset.blueprint import read_blueprint
    from passband.jobs.generation.ledger import find_done
    from passband.pipeline.layout import MANIFEST

    blueprint = read_blueprint(store)
    done = len(find_done(store, blueprint)[0])
    return store.exists(MANIFEST) and done == blueprint.shards, done, blueprint.shards


def _blocks(store: Store) -> Count:
    from passband.jobs.analysis.envelope import read_envelope

    envelope = read_envelope(store)
    total = sum(1 for _ in envelope.places())
    if not total:  # an amplitude is one pass
        return store.exists(RESULTS), None, None
    done = total if store.exists(RESULTS) else sum(name.endswith(".json") for name in store.names(BLOCKS))
    return store.exists(RESULTS), done, total


def _epochs(store: Store) -> Count:
    from passband.jobs.training.log import read_metrics

    assert isinstance(store, LocalStore)
    envelope = read_yaml(store.path(JOB))
    try:
        epochs = envelope["job"]["epochs"]
        total = None if epochs is None else int(epochs)  # None: it counts steps
    except (TypeError, KeyError, ValueError) as error:
        raise PassbandError(f"{store.uri}/{JOB}: is of no training") from error
    if store.exists(RESULTS):
        return True, total, total
    lines = read_metrics(Path(store.root)) if store.exists("metrics.jsonl") else []
    return False, int(lines[-1]["epoch"]) if lines else 0, total


def _predictions(store: Store) -> Count:
    finished = store.exists(RESULTS)
    return finished, len(store.names("predictions")), None


_KINDS: dict[str, tuple[str, Callable[[Store], Count]]] = {
    "generate": ("shards", _shards),
    "analyze": ("blocks", _blocks),
    "train": ("epochs", _epochs),
    "evaluate": ("views", _predictions),
}
