"""The dry run of a reproduction: its jobs, which are done, and how long the rest may take."""

import os
from dataclasses import asdict, dataclass
from typing import Any

from passband.jobs.reproduce.datasets import find_datasets
from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.recipe import Recipe


@dataclass(frozen=True)
class Line:
    """A job of the plan; `state` is ``done`` or ``to do``."""

    name: str
    kind: str
    state: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """All jobs in their order.

    Attributes
    ----------
    seconds : estimate for what is to do, by `workers` processes at a time
    """

    name: str
    lines: tuple[Line, ...]
    workers: int
    seconds: float

    @property
    def done(self) -> int:
        """Number of jobs that are done."""
        return sum(line.state == "done" for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """Return the plan for machines."""
        return {**asdict(self), "jobs": len(self.lines), "done": self.done}


def make_plan(recipe: Recipe, output: str, workers: int) -> Plan:
    """Look at the folder `output`, in which nothing is written, and return what is done of a recipe."""
    ledger = Ledger(recipe.graph, workers)
    find_datasets(ledger, output)
    for node in recipe.graph:
        if not node.is_dataset and all(need in ledger.made for need in node.needs):
            made, results = ledger.find(node, output)
            if results is not None:
                ledger.enter(node, made, results, None)
    lines = tuple(
        Line(node.name, node.task.kind, "done" if node.name in ledger.made else "to do", node.seconds)
        for node in recipe.graph
    )
    return Plan(recipe.name, lines, workers, ledger.seconds_left())


def num_workers(asked: int | None) -> int:
    """Return how many processes run at once: as many as there are CPUs for this process unless it is said."""
    return asked or len(os.sched_getaffinity(0))
