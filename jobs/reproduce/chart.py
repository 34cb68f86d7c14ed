"""The numbers of each method against the conditions of a table, with a band of a deviation to each side or as told."""

from collections.abc import Sequence

import numpy as np

from passband.jobs.drawing.charts import LINES, Theme, encode, frame, literal, new_figure
from passband.jobs.reproduce.rows import Block, main_unit

_MARKERS = "osD^vPX*"
_ROOMY = 6.0
"""Hundreds of CSS pixels in which 15 words fit side by side."""


def curves_png(block: Block, theme: Theme, width: float) -> bytes:
    """Draw a block as PNG; a last column that is the mean of the others is left out.

    A curve's band is a deviation to each side, or what the block's methods say where its table has a `band`.

    Parameters
    ----------
    width : of the chart, in hundreds of CSS pixels
    """
    columns, unit = len(block.table.columns) - block.table.mean_last, main_unit([block])
    across = max(1, int(width / 1.5))
    figure = new_figure(width, min(3.6, 0.85 * width) + 0.24 * -(-len(block.curves) // across), theme)
    axes = figure.add_subplot()
    frame(axes, theme)
    if unit.logarithmic:
        axes.set_yscale("log")
    for number, (method, rows) in enumerate(block.curves.items()):
        at = [column for column in range(columns) if rows[column] is not None]
        found = [row for row in rows[:columns] if row is not None]
        means = np.array([row.mean for row in found])
        color = LINES[number % len(LINES)]
        axes.fill_between(*_band(block, method, at), color=color, alpha=0.15, linewidth=0)
        marker = _MARKERS[number % len(_MARKERS)]
        axes.plot(at, means, color=color, linewidth=1.6, marker=marker, markersize=4, label=literal(method))
    crowded = columns > 8 and width < _ROOMY
    headings = [heading for _, heading in block.table.columns[:columns]]
    axes.set_xticks(range(columns), headings, rotation=90 if crowded else 0)
    axes.set_xlabel(block.table.chart or "", color=theme.ink, fontsize=9)
    axes.set_ylabel(unit.axis, color=theme.ink, fontsize=9)
    figure.legend(loc="outside lower center", ncols=across, frameon=False, fontsize=9, labelcolor=theme.ink)
    return encode(figure)


def _band(block: Block, method: str, at: Sequence[int]) -> tuple[Sequence[int], list[float], list[float]]:
    """Return where the band of a curve is, and its edges there."""
    rows, edges = block.methods[method], block.band(method)
    if edges is None:
        found = [row for column in at if (row := rows[column]) is not None]
        return at, [row.mean - (row.std or 0) for row in found], [row.mean + (row.std or 0) for row in found]
    pairs = [(column, low.mean, high.mean) for column in at if (low := edges[0][column]) and (high := edges[1][column])]
    return [column for column, *_ in pairs], [low for _, low, _ in pairs], [high for *_, high in pairs]
