"""From the numbers of single networks to rows: mean and deviation over the seeds."""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from passband.jobs.reproduce.ledger import damaged
from passband.jobs.reproduce.recipe import Measure, Reading
from passband.jobs.reproduce.rows import Row, Unit

Fields = tuple[tuple[str, str], ...]


def collect(
    measures: Iterable[Measure], results: Mapping[str, Mapping[str, Any]], places: Mapping[str, str] | None = None
) -> list[Row]:
    """Return the rows of all that was measured, in the order of `measures` and with the values in that of the seeds.

    Parameters
    ----------
    results : name of a node -> what its ``results.json`` says; one that failed is not there
    places : name of a node -> its folder, for errors

    Raises
    ------
    PassbandError
        If results do not say what is asked of them.
    """
    found: dict[tuple[Fields, str, Unit], dict[int, float]] = {}
    for measure in measures:
        for condition, read in measure.conditions.items():
            values = [_value(one, results[one.node], places or {}) if one.node in results else None for one in read]
            there = [value for value in values if value is not None]
            if len(there) == len(read):
                key = (tuple(measure.fields.items()), condition, read[0].unit)
                found.setdefault(key, {})[measure.seed] = fmean(there)
    return [
        Row(dict(fields), condition, tuple(by_seed[seed] for seed in sorted(by_seed)), unit)
        for (fields, condition, unit), by_seed in found.items()
    ]


def _value(one: Reading, results: Mapping[str, Any], places: Mapping[str, str]) -> float | None:
    try:
        return one.value(results)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(places.get(one.node, one.node), "it lacks a number of the table") from error
