"""What is said of a folder that holds no finished run."""

from collections.abc import Mapping
from typing import Any

from passband.jobs.common.yamltext import YamlError, read_store_yaml
from passband.pipeline.layout import JOB, MANIFEST, RESULTS
from passband.pipeline.store import LocalStore, Store

_CALLED = {"train": "training", "analyze": "analysis"}


def what_is_missing(store: Store) -> str:
    """Say what a folder is that has neither manifest nor results, and how it is finished."""
    if store.exists(JOB):
        return _unfinished(store, _read_envelope(store))
    for folder, called in (("predictions", "evaluation"), ("trainings", "reproduction"), ("datasets", "reproduction")):
        if isinstance(store, LocalStore) and (store.root / folder).is_dir():
            return f"is an unfinished {called}, without {RESULTS}; the command that began it finishes it"
    return f"is no finished run: there is neither a {MANIFEST} nor a {RESULTS} in it"


def _read_envelope(store: Store) -> Mapping[str, Any]:
    try:
        found = read_store_yaml(store, JOB)
    except YamlError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _unfinished(store: Store, envelope: Mapping[str, Any]) -> str:
    job = envelope.get("job")
    kind = job.get("kind") if isinstance(job, Mapping) else None
    if kind == "generate":
        return f"is an unfinished dataset, without {MANIFEST}; passband run {store.uri}/{JOB} finishes it"
    called = _CALLED.get(str(kind), "run")
    return f"is an unfinished {called}, without {RESULTS}; the command that began it finishes it"
