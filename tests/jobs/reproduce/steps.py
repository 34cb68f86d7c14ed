"""Tasks that leave a line for every time they run. No torch here: the processes start in a moment."""

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from passband.jobs.reproduce.graph import Graph, Made, Node, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import RESULTS
from passband.pipeline.store import LocalStore


@dataclass(frozen=True)
class Step:
    """Writes its name into the file `log`; `fault` is what happens then: raise, bug, die, or die once."""

    name: str
    log: str
    fault: str = ""
    seconds: float = 0.0
    kind: ClassVar[str] = "step"

    def identity(self, needs: Mapping[str, Made]) -> str:
        return digest([self.name, {name: made.identity for name, made in needs.items()}])

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        first = self.name not in runs(self.log)
        with Path(self.log).open("a") as log:
            log.write(f"{self.name} {os.getpid()}\n")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            if stopped():
                raise SystemExit(1)
            time.sleep(0.01)
        if self.fault == "raise":
            raise PassbandError(f"{self.name} cannot be")
        if self.fault == "bug":
            raise ZeroDivisionError("no such thing")
        if self.fault == "die" or (self.fault == "die once" and first):
            os.kill(os.getpid(), signal.SIGKILL)
        results = {"name": self.name, "needs": sorted(needs), "accuracy": {}}
        LocalStore(folder).put(RESULTS, json.dumps(results).encode())
        return results


def runs(log: str | Path) -> list[str]:
    """Return the names of the steps that ran, in their order, as often as they did."""
    path = Path(log)
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def steps(
    log: str | Path,
    *described: str,
    faults: Mapping[str, str] | None = None,
    seconds: float = 0.0,
    slow: Mapping[str, float] | None = None,
) -> Graph:
    """Return a graph from descriptions such as ``c: a b``; steps take `seconds`, those that `slow` names take its."""
    nodes = []
    for description in described:
        name, _, needs = description.partition(":")
        task = Step(name, str(log), (faults or {}).get(name, ""), (slow or {}).get(name, seconds))
        nodes.append(Node(name, task, tuple(needs.split())))
    return Graph(tuple(nodes))
