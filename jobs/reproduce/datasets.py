"""Making the datasets of a graph: one child process for as many as it can, so that its start is paid once."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passband.jobs.common.missing_datasets import DatasetError, make_missing
from passband.jobs.reproduce.display import Display
from passband.jobs.reproduce.graph import DatasetTask, Made, Node
from passband.jobs.reproduce.ledger import Ledger
from passband.pipeline.canonical import digest
from passband.pipeline.documents import DocumentError, read_json
from passband.pipeline.layout import MANIFEST
from passband.pipeline.store import LocalStore

FOLDER = "datasets"
_PLACES = f"{FOLDER}/places.json"


@dataclass(frozen=True)
class _Reference:
    job: Mapping[str, Any]
    path: None = None


class _Batch:
    """Enters into the ledger what the child says."""

    def __init__(self, nodes: Mapping[str, Node], ledger: Ledger, display: Display) -> None:
        self._nodes, self._ledger, self._display = nodes, ledger, display
        self.current: Node | None = None
        self._begun, self._made = 0.0, False

    def event(self, event: Mapping[str, Any]) -> None:
        """Take one event of the child."""
        if event["event"] == "job":
            self.current, self._begun, self._made = self._nodes[event["name"]], time.monotonic(), False
            self._ledger.begin(self.current)
            self._display.dataset(self._ledger, self.current.name, event)
        assert self.current is not None
        if event["event"] == "finished":
            made = Made(event["identity"], event["output"])
            self._ledger.enter(self.current, made, None, time.monotonic() - self._begun if self._made else None)
            self._display.finished(self._ledger, self.current.name)
        elif event["event"] == "started":
            self._made = True  # one that is there is only looked up


def make_datasets(ledger: Ledger, output: str, display: Display) -> None:
    """Make or find every dataset of the graph; one that fails is entered as failed, and the next ones are made."""
    batches = [[node for node in ledger.graph if node.is_dataset]]
    while batches:
        nodes = batches.pop(0)
        if not nodes:
            continue
        batch = _Batch({node.name: node for node in nodes}, ledger, display)
        try:
            make_missing([_Reference(_job(node)) for node in nodes], f"{output}/{FOLDER}", progress=batch.event)
        except DatasetError as error:
            if batch.current is None and len(nodes) > 1:  # refused before it began: one by one shows which
                batches = [[node] for node in nodes]
                continue
            failed = batch.current or nodes[0]
            ledger.fail(failed, str(error))
            display.failed(ledger, failed.name)
            batches.insert(0, nodes[nodes.index(failed) + 1 :])
    _write_places(ledger, output)


def _job(node: Node) -> Mapping[str, Any]:
    assert isinstance(node.task, DatasetTask)
    return {**node.task.job, "kind": "generate", "name": node.name}


def _write_places(ledger: Ledger, output: str) -> None:
    """Keep which job made which folder, for `find_datasets`."""
    places = {
        digest(_job(node)): {"identity": made.identity, "folder": Path(made.path).name}
        for node in ledger.graph
        if node.is_dataset and (made := ledger.made.get(node.name)) is not None
    }
    store = LocalStore(output)
    store.put(_PLACES, (json.dumps(_read_places(store) | places, indent=1) + "\n").encode())


def find_datasets(ledger: Ledger, output: str) -> None:
    """Enter the datasets that are known to be there, without the kernels that could tell their identities.

    For a plan alone: after an update of Passband the same job may mean another dataset, as the run itself then sees.
    """
    store = LocalStore(output)
    places = _read_places(store)
    for node in ledger.graph:
        place = places.get(digest(_job(node))) if node.is_dataset else None
        if place is not None and store.exists(f"{FOLDER}/{place['folder']}/{MANIFEST}"):
            made = Made(place["identity"], store.path(f"{FOLDER}/{place['folder']}").as_posix())
            ledger.enter(node, made, None, None)


def _read_places(store: LocalStore) -> dict[str, Any]:
    """Return the places that are known; a damaged file knows none, and is written anew."""
    try:
        found = read_json(store, _PLACES) if store.exists(_PLACES) else {}
    except DocumentError:
        return {}
    return {key: place for key, place in found.items() if _is_place(place)} if isinstance(found, dict) else {}


def _is_place(place: Any) -> bool:
    return isinstance(place, dict) and all(isinstance(place.get(key), str) for key in ("identity", "folder"))
