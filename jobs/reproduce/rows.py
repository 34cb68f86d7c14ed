"""From the numbers of single networks to rows: mean and deviation over the seeds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from jobs.reproduce.ledger import damaged
from jobs.reproduce.recipe import PERCENT, Measure, Reading, Table, Unit

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """What is told of a method under a condition: its accuracy in percent, unless `unit` says otherwise.

    Attributes
    ----------
    std : sample standard deviation over the seeds (divisor n - 1); None for one seed
    """

    fields: Mapping[str, str]
    condition: str
    values: tuple[float, ...]
    unit: Unit = PERCENT

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return fmean(self.values)

    @property
    def std(self) -> float | None:
        """Sample standard deviation over the seeds."""
        return stdev(self.values) if len(self.values) > 1 else None

    def as_json(self) -> dict[str, Any]:
        """Return the row as ``results.json`` has it."""
        return {
            **self.fields,
            "condition": self.condition,
            "unit": self.unit.name,
            "mean": round(self.mean, 4),
            "std": None if self.std is None else round(self.std, 4),
            "seeds": len(self.values),
            "values": [round(value, 4) for value in self.values],
        }


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


@dataclass(frozen=True)
class Block:
    """A table filled in.

    Attributes
    ----------
    methods : method -> its row of each column, None where there is none
    """

    table: Table
    methods: Mapping[str, tuple[Row | None, ...]]

    def best(self, column: int) -> float | None:
        """Return the highest mean of a column, rounded as it is shown; None where none is marked."""
        found = [row for rows in self.methods.values() if (row := rows[column]) is not None and row.unit.marks_best]
        return max((round(row.mean, row.unit.digits) for row in found), default=None)


def fill(table: Table, rows: Iterable[Row]) -> Block:
    """Return `table` with the rows that it is about."""
    shown: dict[str, dict[str, Row]] = {}
    for row in rows:
        if all(row.fields.get(name) == value for name, value in table.where.items()):
            shown.setdefault(row.fields["method"], {})[row.condition] = row
    columns = [condition for condition, _ in table.columns]
    wanted = {method: found for method, found in shown.items() if any(column in found for column in columns)}
    return Block(table, {method: tuple(found.get(c) for c in columns) for method, found in wanted.items()})
