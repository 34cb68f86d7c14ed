"""Hostile inputs for every source that reads files: a corpus that a test runs, and that `make attack` can.

``cases(seed)`` yields what there is: a `Case` has a name, ``build(folder)``, which writes the input and returns the job
that reads it, and what may come of it. ``trial.Trials(folder).attempt(case)`` runs one in a process of its own, and
says in ``faults`` what is wrong about the outcome: a traceback, more than one line, a wrong label or pixel, 10 seconds
of the processor, 200 MB more than a sound input takes. ``python -m tests.pipeline.sources.hostile`` does it for all.
"""

import dataclasses
from collections.abc import Iterator

from tests.pipeline.sources.hostile import cifars, folders, images, parquets, tars
from tests.pipeline.sources.hostile.case import Case
from tests.pipeline.sources.hostile.fell import FELL

GROUPS = (folders, tars, parquets, cifars, images)


def cases(seed: int = 0) -> Iterator[Case]:
    """Yield every case; names are unique, and the same for every seed."""
    for group in GROUPS:
        yield from (dataclasses.replace(case, seed=seed) for case in group.cases())


__all__ = ["FELL", "GROUPS", "Case", "cases"]
