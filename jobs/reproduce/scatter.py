"""Every network of a table as a point: one number across, another up."""

from collections.abc import Iterator

from matplotlib.ticker import MaxNLocator

from passband.jobs.drawing.charts import LINES, Theme, encode, frame, literal, new_figure
from passband.jobs.reproduce.rows import PERCENT, Block, Row

_MARKERS = "osD^vPX*"
_BESIDE = 6.0
"""Hundreds of CSS pixels from which the legend stands at the side."""

Points = dict[str, tuple[Row, Row]]


def points(block: Block) -> Points:
    """Return method -> its rows across and up; methods that lack one are left out."""
    assert block.table.scatter is not None
    columns = [condition for condition, _ in block.table.columns]
    across, up = (columns.index(condition) for condition in block.table.scatter)
    found = ((method, rows[across], rows[up]) for method, rows in block.methods.items())
    return {method: (x, y) for method, x, y in found if x is not None and y is not None}


def names(block: Block) -> tuple[str, str]:
    """Return what stands at the axes."""
    assert block.table.scatter is not None
    across, up = block.table.scatter
    first = next(iter(points(block).values()), None)
    return (across, up) if first is None else (_axis(across, first[0]), _axis(up, first[1]))


def _axis(name: str, row: Row) -> str:
    return f"{name} {row.unit.axis}" if row.unit == PERCENT else name


def scatter_png(block: Block, theme: Theme, width: float) -> bytes:
    """Draw a block as PNG; `width` is that of the chart, in hundreds of CSS pixels."""
    shown, beside = points(block), width >= _BESIDE
    below = 0.0 if beside else 0.24 * -(-len(shown) // 2)
    figure = new_figure(min(width, 7.6), min(4.0, 0.85 * width) + below, theme)
    axes = figure.add_subplot()
    frame(axes, theme)
    for method, color, marker in _styles(shown):
        across, up = shown[method]
        values = list(zip(across.values, up.values, strict=False))
        axes.plot(*zip(*values, strict=True), marker, color=color, markersize=6, label=literal(method))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    label_across, label_up = names(block)
    axes.set_xlabel(label_across, color=theme.ink, fontsize=9)
    axes.set_ylabel(label_up, color=theme.ink, fontsize=9)
    place, columns = ("outside right center", 1) if beside else ("outside lower center", 2)
    figure.legend(loc=place, ncols=columns, frameon=False, fontsize=9, labelcolor=theme.ink)
    return encode(figure)


def _styles(shown: Points) -> Iterator[tuple[str, str, str]]:
    """Yield a colour and a marker for each method; no two share both."""
    for number, method in enumerate(shown):
        marker = _MARKERS[(number + number // len(LINES)) % len(_MARKERS)]
        yield method, LINES[number % len(LINES)], marker
