"""What is reproduced: a graph, what of it is measured, and the tables that show it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.reproduce.graph import Graph

if TYPE_CHECKING:
    from jobs.reproduce.rows import Block


@dataclass(frozen=True)
class Seen:
    """An accuracy that an evaluation has measured."""

    evaluation: str
    dataset: str
    view: str


@dataclass(frozen=True)
class Measure:
    """What is told of one method with one seed.

    Attributes
    ----------
    fields : where the numbers stand: ``method``, and what else tells rows apart, such as ``dataset``
    conditions : condition -> what it is the mean of
    """

    fields: Mapping[str, str]
    seed: int
    conditions: Mapping[str, Sequence[Seen]]


@dataclass(frozen=True)
class Table:
    """One block of the table, a row a method.

    Attributes
    ----------
    where : values of the fields of the rows that it shows
    columns : (condition, heading)
    chart : heading of the axis if the conditions but the last, a mean, are drawn as curves; else None
    """

    title: str
    where: Mapping[str, str]
    columns: tuple[tuple[str, str], ...]
    chart: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A reproduction.

    Attributes
    ----------
    settings : what was chosen and how, as it goes into ``results.json``
    findings : what was learned, a paragraph each
    observe : says what the figures of a run come to, a paragraph each
    """

    name: str
    title: str
    source: str
    quick: bool
    seeds: int
    graph: Graph
    measures: tuple[Measure, ...]
    tables: tuple[Table, ...]
    settings: Mapping[str, Any]
    findings: tuple[str, ...]
    observe: Callable[[Sequence["Block"]], list[str]] = lambda blocks: []
