"""Where maps, their colour bar and its labels stand in one picture; lengths are hundreds of CSS pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""Left, bottom, width and height, as shares of the picture."""

_ROOMY = 5.0  # below this width the bar lies at the bottom
_SMALLEST, _LARGEST = 1.35, 2.9  # width of a map
_LEFT, _TOP, _BOTTOM, _RIGHT, _TITLE_LINE, _TICKS = 0.62, 0.12, 0.24, 0.14, 0.2, 0.24
_BAR_RIGHT, _BAR_BOTTOM, _THICKNESS, _BEFORE_BAR = 0.86, 0.66, 0.12, 0.16
_TALLEST = 2.0


@dataclass(frozen=True)
class Grid:
    """Maps in rows, each in a box of `cell` by its row's height.

    Attributes
    ----------
    alike : the maps are of one shape, and so have ticks in common
    title : height of a title
    narrow : the bar lies at the bottom, not at the side
    """

    columns: int
    cell: float
    alike: bool
    heights: tuple[float, ...]
    title: float
    narrow: bool

    @property
    def gap(self) -> float:
        """Between two maps of a row."""
        return _gap(self.alike)

    @property
    def width(self) -> float:
        """Width of the picture."""
        return _LEFT + self.columns * (self.cell + self.gap) - self.gap + (_RIGHT if self.narrow else _BAR_RIGHT)

    @property
    def height(self) -> float:
        """Height of the picture."""
        rows = sum(height + self.title + _TICKS for height in self.heights)
        return _TOP + rows + _BOTTOM + (_BAR_BOTTOM if self.narrow else 0.0)

    def place(self, number: int) -> Box:
        """Return the box of a map."""
        row, column = divmod(number, self.columns)
        above = _TOP + sum(height + self.title + _TICKS for height in self.heights[:row]) + self.title
        left = _LEFT + column * (self.cell + self.gap)
        return self._box(left, above, self.cell, self.heights[row])

    def bar(self) -> Box:
        """Return the box of the colour bar: as long as the picture is wide, or as its first rows are high."""
        if self.narrow:
            return self._box(_LEFT, self.height - _BAR_BOTTOM + 0.1, self.width - _LEFT - _RIGHT, _THICKNESS)
        below = sum(self.heights[:2]) + (len(self.heights[:2]) - 1) * (self.title + _TICKS)
        return self._box(self.width - _BAR_RIGHT + _BEFORE_BAR, _TOP + self.title, _THICKNESS, below)

    def starts_row(self, number: int) -> bool:
        """Say whether nothing is to the left of a map."""
        return number % self.columns == 0

    def in_last_row(self, number: int) -> bool:
        """Say whether no row follows a map's."""
        return number // self.columns == len(self.heights) - 1

    def _box(self, left: float, above: float, width: float, height: float) -> Box:
        bottom = self.height - above - height
        return left / self.width, bottom / self.height, width / self.width, height / self.height


def arrange(shapes: Sequence[tuple[int, ...]], width: float, title_lines: int = 1) -> Grid:
    """Return a grid for maps of `shapes` (H, W) that is no wider than `width`."""
    narrow = width < _ROOMY
    alike = len(set(shapes)) == 1
    gap = _gap(alike)
    room = width - _LEFT - (_RIGHT if narrow else _BAR_RIGHT) + gap
    most = max(1, int(room / (_SMALLEST + gap)))
    columns = -(-len(shapes) // -(-len(shapes) // most))  # rows of like length
    cell = room / columns - gap
    cell = cell if narrow else min(cell, _LARGEST)
    ratios = [min(_TALLEST, height / width) for height, width in shapes]
    heights = tuple(cell * max(ratios[start : start + columns]) for start in range(0, len(shapes), columns))
    return Grid(columns, cell, alike, heights, title_lines * _TITLE_LINE, narrow)


def _gap(alike: bool) -> float:
    return 0.16 if alike else 0.42
