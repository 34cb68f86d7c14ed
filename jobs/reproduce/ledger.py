"""How far a graph is: what was found, made and failed, and how long the rest may take."""

import time
from dataclasses import dataclass, field
from typing import Any

from passband.jobs.reproduce.graph import DatasetTask, Graph, Made, Node
from passband.pipeline.documents import DocumentError
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore

_DIGITS = 16


@dataclass
class Ledger:
    """The state of one run of a graph.

    Attributes
    ----------
    made : nodes that are there, found or made
    results : what their ``results.json`` say; datasets have none
    found : names of the nodes that an earlier run had made
    ran : name -> seconds of the nodes that this run made
    failed : name -> why
    running : name -> when it began, by the monotonic clock
    """

    graph: Graph
    workers: int = 1
    made: dict[str, Made] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)
    ran: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)

    def ready(self) -> list[Node]:
        """Return the nodes that can begin now."""
        return list(self.graph.ready(self.made, {*self.made, *self.failed, *self.running}))

    def find(self, node: Node, output: str) -> tuple[Made, dict[str, Any] | None]:
        """Return where the results of a node belong, and what they say if they are there."""
        assert not isinstance(node.task, DatasetTask), "datasets are found by the child that makes them"
        identity = node.task.identity({need: self.made[need] for need in node.needs})
        folder = f"{output}/{node.task.kind}s/{node.name}-{identity[:_DIGITS]}"
        return Made(identity, folder), _read_results(LocalStore(folder))

    def enter(self, node: Node, made: Made, results: dict[str, Any] | None, seconds: float | None) -> None:
        """Take note of a node that is there; `seconds` is None where it was found."""
        self.running.pop(node.name, None)
        self.made[node.name] = made
        if results is not None:
            self.results[node.name] = results
        if seconds is None:
            self.found.add(node.name)
        else:
            self.ran[node.name] = seconds

    def begin(self, node: Node) -> None:
        """Take note that a node is at work."""
        self.running[node.name] = time.monotonic()

    def fail(self, node: Node, why: str) -> None:
        """Take note that a node cannot be made."""
        self.running.pop(node.name, None)
        self.failed[node.name] = why

    @property
    def left(self) -> list[Node]:
        """Nodes that are still to be made, those at work among them."""
        lost = {*self.failed, *self.graph.behind({*self.failed})}
        return [node for node in self.graph if node.name not in self.made and node.name not in lost]

    def seconds_left(self) -> float:
        """Estimate the seconds until all is made, on `workers` cores, from the pace so far."""
        estimates = {node.name: node.seconds for node in self.graph}
        expected = sum(estimates[name] for name in self.ran)
        pace = sum(self.ran.values()) / expected if expected else 1.0
        now = time.monotonic()
        spent = sum(min(now - begun, pace * estimates[name]) for name, begun in self.running.items())
        return max(0.0, pace * sum(node.seconds for node in self.left) - spent) / self.workers


def _read_results(store: LocalStore) -> dict[str, Any] | None:
    """Return what the results of a node say, None where there are none; raise PassbandError if they are damaged."""
    if not store.exists(RESULTS):
        return None
    try:
        return read_sealed(store, RESULTS)
    except DocumentError as error:
        raise damaged(store.uri, str(error)) from error


def damaged(folder: str, why: str) -> PassbandError:
    """Return the error for results of a node in `folder` that cannot be used."""
    return PassbandError(f"{folder}/{RESULTS}: is damaged: {why}; delete it, and the same command makes it again")
