"""A frozen graph of jobs: what is to be made, and what each of it needs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

Stopped = Callable[[], bool]
"""Says whether the work is to end soon, keeping what it has."""


@dataclass(frozen=True)
class Made:
    """What a node has left.

    Attributes
    ----------
    identity : of all that shaped it
    path : its folder
    """

    identity: str
    path: str


class Task(Protocol):
    """What a node does, in a process of its own; it is pickled on its way there."""

    kind: ClassVar[str]

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of all that shapes the result."""

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Do it, or go on with it; write ``results.json`` into `folder` last, and return what it says."""


@dataclass(frozen=True)
class DatasetTask:
    """A dataset, made by a child ``passband run`` and cached by its identity.

    Attributes
    ----------
    job : a job of kind generate, its output's place left out
    """

    job: Mapping[str, Any] = field(hash=False)
    kind: ClassVar[str] = "dataset"


@dataclass(frozen=True)
class Node:
    """One job of the graph.

    Attributes
    ----------
    needs : names of the nodes whose results it uses
    seconds : estimate on one core, for progress and plan
    """

    name: str
    task: Task | DatasetTask
    needs: tuple[str, ...] = ()
    seconds: float = 1.0

    @property
    def is_dataset(self) -> bool:
        """Whether a child process makes it, a whole batch at once."""
        return isinstance(self.task, DatasetTask)


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they are begun; each stands after all that it needs."""

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for node in self.nodes:
            if node.name in seen:
                raise ValueError(f"two nodes are called {node.name}")
            missing = [name for name in node.needs if name not in seen]
            if missing:
                raise ValueError(f"{node.name} needs {missing[0]}, which does not stand before it")
            if node.is_dataset and node.needs:
                raise ValueError(f"{node.name}: a dataset needs no other node")
            seen.add(node.name)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def ready(self, done: Mapping[str, Any], begun: set[str]) -> Iterator[Node]:
        """Return the nodes that have not begun and whose needs are all done, first things first."""
        return (node for node in self.nodes if node.name not in begun and all(need in done for need in node.needs))

    def behind(self, failed: set[str]) -> list[str]:
        """Return the names of the nodes that cannot be made since one before them failed, these not included."""
        lost = set(failed)
        for node in self.nodes:
            if lost.intersection(node.needs):
                lost.add(node.name)
        return [node.name for node in self.nodes if node.name in lost and node.name not in failed]
