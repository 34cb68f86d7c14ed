"""AugMix and PRIME with other weights of JSD, and trained for longer: a weight of 12 was made for long trainings."""

from collections.abc import Iterator, Mapping
from typing import Any

from passband.jobs.reproduce.recipe import Measure
from passband.jobs.reproduce.recipes.insights.bench import CORRUPTED, JSD, Bench, copies, enlarged
from passband.jobs.reproduce.recipes.parts import CLEAN
from passband.jobs.reproduce.rows import Block, Table

STUDIES = {"weights": CORRUPTED, "weights, clean": CLEAN}
"""Value of the field ``study`` of the rows -> what is looked at."""
PLAIN, USUAL, LONG = "no JSD", "12", "12, twice as long"
WEIGHTS: Mapping[str, float] = {"1": 1.0, USUAL: 12.0, LONG: 12.0}
"""Column -> weight; the trainings of USUAL are those of the first table."""
METHODS = {"AugMix": "augmix", "PRIME": "prime"}
"""Name in the table -> what its views are called, of which there are two."""


def measures(bench: Bench, data: Mapping[str, str]) -> Iterator[Measure]:
    """Enter the trainings of an image source and a seed; yield what is told of them.

    Parameters
    ----------
    data : name in `METHODS` -> training set
    """
    for method, view in METHODS.items():
        trainings = {PLAIN: bench.network(f"{method}, {PLAIN}", data[method], **enlarged(2, view))}
        for name, weight in WEIGHTS.items():
            known = f"{method} + JSD" if name == USUAL else f"{method} + JSD {name}"
            job: dict[str, Any] = {"objective": {**JSD, "weight": weight}, "data": {"views": [CLEAN, *copies(2, view)]}}
            trainings[name] = bench.network(known, data[method], long=name == LONG, passes=3, **job)
        seen = {name: bench.seen(training) for name, training in trainings.items()}
        for study, condition in STUDIES.items():
            yield bench.told(study, method, {name: found[condition] for name, found in seen.items()})


def tables(name: str) -> Iterator[Table]:
    """Yield the tables of an image source: corrupted and clean accuracy."""
    columns = tuple((one, one) for one in (PLAIN, *WEIGHTS))
    for study, condition in STUDIES.items():
        where = {"study": study, "dataset": name}
        yield Table(f"{name}: AugMix and PRIME by the weight of JSD, {condition}", where, columns)


def observe(block: Block) -> list[str]:
    """Return what a table of corrupted accuracy says; nothing of others."""
    if STUDIES.get(block.table.where["study"]) != CORRUPTED or not {*METHODS} <= set(block.methods):
        return []
    augmix, prime = (block.methods[method] for method in METHODS)
    leads = (
        f"{heading} {mine.mean - its.mean:+.1f}"
        for (_, heading), mine, its in zip(block.table.columns, prime, augmix, strict=True)
        if mine is not None and its is not None
    )
    name = block.table.where["dataset"]
    return [f"{name}: under corruption PRIME has against AugMix, by the weight of JSD: {', '.join(leads)} points."]
