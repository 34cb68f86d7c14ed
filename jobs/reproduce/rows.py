"""The tables of a reproduction: rows of means over the seeds, in units, and the blocks that they fill."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any


@dataclass(frozen=True)
class Unit:
    """What numbers are counted in.

    Attributes
    ----------
    digits : behind the point, where they are shown
    marks_best : whether the highest of a column is marked
    what : is counted, as the first words of a sentence
    logarithmic : whether charts have a logarithmic axis of it
    """

    name: str
    digits: int
    marks_best: bool
    what: str
    logarithmic: bool = False

    @property
    def axis(self) -> str:
        """What stands at the axis of a chart."""
        return "accuracy, %" if self == PERCENT else self.name

    def spell(self, value: float) -> str:
        """Return a number as it is shown."""
        return f"{value:.{self.digits}f}"


PERCENT = Unit("percent", 1, True, "Accuracy in percent")
NORM = Unit("l1 norm", 3, False, "Mean l1 norm")
MARGIN = Unit("margin", 2, False, "Margins, which are distances to the decision boundary", logarithmic=True)
POINTS = Unit("percent of points", 1, False, "Points that are told apart, in percent")
IMAGE_MARGIN = Unit("l2 margin", 3, False, "Margins of images in [0, 1]", logarithmic=True)
IMAGES = Unit("percent of images", 1, False, "Images, in percent")
ENERGY = Unit("percent of energy", 2, False, "Energy, in percent")
GRADIENT = Unit("norm of the gradient", 3, False, "Norms of the mean loss's gradient", logarithmic=True)
SHARPNESS = Unit("sharpness", 4, False, "Rise of the mean loss, in nats, a step of rho along its gradient")
SCORE = Unit("weight", 3, False, "Weights of images, 1 on average")
DISTANCE = Unit("cosine distance x 1000", 2, False, "Smallest cosine distances, x 1000")
SECONDS = Unit("seconds", 0, False, "Seconds")
MIXTURES = Unit("percent of mixtures", 1, False, "Mixtures, in percent")
RISE = Unit("squared rise of the loss", 4, False, "Squared differences of the mean loss, in nats", logarithmic=True)
LOSS = Unit("loss", 3, False, "Mean losses, in nats")
PLACE = Unit("distance in weights", 2, False, "Places in the plane, as distances in weights")
TIME = Unit("ms", 1, False, "Milliseconds of processor time")
RATIO = Unit("times", 2, False, "Ratios")
UNITS = {
    unit.name: unit
    for unit in (
        PERCENT,
        NORM,
        MARGIN,
        POINTS,
        IMAGE_MARGIN,
        IMAGES,
        ENERGY,
        GRADIENT,
        SHARPNESS,
        SCORE,
        DISTANCE,
        SECONDS,
        MIXTURES,
        RISE,
        LOSS,
        PLACE,
        TIME,
        RATIO,
    )
}


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


@dataclass(frozen=True)
class Table:
    """One block of the table, a row a method.

    Attributes
    ----------
    where : values of the fields of the rows that it shows
    columns : (condition, heading)
    chart : heading of the axis if the conditions are drawn as curves; else None
    mean_last : whether the last condition is the mean of the others, which no curve shows
    band : how the names end of the methods that are the lower and the upper edge of a curve's band, not curves
    scatter : conditions across and up if every network is drawn as a point; else None
    """

    title: str
    where: Mapping[str, str]
    columns: tuple[tuple[str, str], ...]
    chart: str | None = None
    scatter: tuple[str, str] | None = None
    mean_last: bool = True
    band: tuple[str, str] | None = None


@dataclass(frozen=True)
class Block:
    """A table filled in.

    Attributes
    ----------
    methods : method -> its row of each column, None where there is none
    """

    table: Table
    methods: Mapping[str, tuple[Row | None, ...]]

    @property
    def curves(self) -> dict[str, tuple[Row | None, ...]]:
        """The methods that are drawn as curves, not as the edges of their bands."""
        edges = self.table.band or ()
        return {method: rows for method, rows in self.methods.items() if not method.endswith(edges)}

    def band(self, method: str) -> tuple[tuple[Row | None, ...], tuple[Row | None, ...]] | None:
        """Return the lower and the upper edge of a curve's band, where the table has it."""
        found = [self.methods.get(method + ending) for ending in self.table.band or ()]
        low, high = found or (None, None)
        return None if low is None or high is None else (low, high)

    def best(self, column: int) -> float | None:
        """Return the highest mean of a column, rounded as it is shown; None where none is marked."""
        found = [row for rows in self.methods.values() if (row := rows[column]) is not None and row.unit.marks_best]
        return max((round(row.mean, row.unit.digits) for row in found), default=None)


def main_unit(blocks: Iterable[Block]) -> Unit:
    """Return what the first number of tables is counted in; percent where there is none."""
    rows = (row for block in blocks for rows in block.methods.values() for row in rows if row is not None)
    return next((row.unit for row in rows), PERCENT)


def fill(table: Table, rows: Iterable[Row]) -> Block:
    """Return `table` with the rows that it is about."""
    shown: dict[str, dict[str, Row]] = {}
    for row in rows:
        if all(row.fields.get(name) == value for name, value in table.where.items()):
            shown.setdefault(row.fields["method"], {})[row.condition] = row
    columns = [condition for condition, _ in table.columns]
    wanted = {method: found for method, found in shown.items() if any(column in found for column in columns)}
    return Block(table, {method: tuple(found.get(c) for c in columns) for method, found in wanted.items()})
