"""A run on the page, and what it is called there: by its name, and by folder where names collide."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any


@dataclass(frozen=True)
class Run:
    """An output folder.

    Attributes
    ----------
    kind : a key of `jobs.comparison.reading.READERS`
    label : the name, and more where another run of the kind has the same
    content : Dataset, Training, Evaluation, Analysis or ReproductionResults
    """

    kind: str
    name: str
    folder: str
    identity: str
    content: Any
    label: str = ""


def tell_apart(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with labels: the name, or name and folder where runs of one kind share a name."""
    counts = Counter((run.kind, run.name) for run in runs)
    return [
        dataclasses.replace(run, label=run.name if counts[run.kind, run.name] == 1 else _by_folder(run, runs))
        for run in runs
    ]


def _by_folder(run: Run, runs: Sequence[Run]) -> str:
    others = [other.folder for other in runs if (other.kind, other.name) == (run.kind, run.name) and other is not run]
    return f"{run.name} ({shortest_tail(run.folder, others)})"


def shortest_tail(folder: str, others: Sequence[str]) -> str:
    """Return as many of the last parts of `folder` as no other folder ends in."""
    parts = PurePosixPath(folder).parts
    for kept in range(1, len(parts) + 1):
        tail = parts[-kept:]
        if all(PurePosixPath(other).parts[-kept:] != tail for other in others):
            return "/".join(tail).replace("//", "/")
    return folder
