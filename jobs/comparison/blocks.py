"""What a section of the page is built of; ``comparison.html.j2`` knows how each looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from passband.jobs.drawing.thumbnails import SheetRow

Variants = list[tuple[str, str]]
"""(media query, data URI), the first that fits is shown; the last has an empty query."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    note : said below it, quietly
    best : it is the best of those that it is compared with
    """

    text: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Column:
    """Heading of a column; `look` is a class of the style sheet: "right" for numbers, "words" for sentences."""

    heading: str
    look: str = "right"


@dataclass(frozen=True)
class Table:
    """Rows below one another; the first cell of each is its heading."""

    block: ClassVar[str] = "table"
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    note: str = ""


@dataclass(frozen=True)
class Mark:
    """How a run looks in all charts of its section; `dash` is a border style of CSS."""

    label: str
    color: str
    dash: str


@dataclass(frozen=True)
class Chart:
    """A drawing for every screen.

    Attributes
    ----------
    widest : most that it may take of the page, CSS pixels
    """

    block: ClassVar[str] = "chart"
    title: str
    alt: str
    variants: Variants
    caption: str = ""
    legend: Sequence[Mark] = ()
    widest: int = 960


@dataclass(frozen=True)
class Sheet:
    """A contact sheet."""

    label: str
    rows: list[SheetRow]
    note: str


@dataclass(frozen=True)
class Sheets:
    """Contact sheets side by side."""

    block: ClassVar[str] = "sheets"
    title: str
    sheets: list[Sheet]
    caption: str = ""


@dataclass(frozen=True)
class Text:
    """Paragraphs."""

    block: ClassVar[str] = "text"
    title: str
    paragraphs: list[str]


@dataclass(frozen=True)
class Section:
    """All runs of one kind."""

    anchor: str
    title: str
    blocks: list[Any] = field(default_factory=list)
