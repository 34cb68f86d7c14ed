"""Line charts of several runs: small charts on shared axes, one look a run throughout the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from passband.jobs.common.wording import plain
from passband.jobs.comparison.blocks import Mark
from passband.jobs.drawing.charts import LINES, Theme, encode, frame, literal, new_figure

_CELL, _TALLEST = 1.7, 3.2  # least width of a small chart and most height, hundreds of CSS pixels
_DASHES = {"solid": "-", "dashed": "--", "dotted": ":"}


@dataclass(frozen=True)
class Line:
    """One run's values; `low` and `high` are the ends of intervals, drawn as a band."""

    run: int
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True)
class Panel:
    """One small chart."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Axes:
    """What the axes of all panels say; `percent` runs from 0 to 100, `logarithmic` is the one of y."""

    x: str
    y: str
    percent: bool = False
    ticks: Sequence[float] | None = None
    logarithmic: bool = False


def marks(labels: Sequence[str]) -> list[Mark]:
    """Return the legend of runs, in their order."""
    return [Mark(label, color_of(run), _dash(run)) for run, label in enumerate(labels)]


def color_of(run: int) -> str:
    """Return the colour of a run, by its place in the section."""
    return LINES[run % len(LINES)]


def _dash(run: int) -> str:
    return list(_DASHES)[run // len(LINES) % len(_DASHES)]


def panels_png(panels: Sequence[Panel], said: Axes, theme: Theme, width: float) -> bytes:
    """Draw panels in rows on shared axes; a legend is the page's.

    Parameters
    ----------
    width : of the chart, in hundreds of CSS pixels
    """
    columns = min(len(panels), max(1, int(width / _CELL)))
    rows = -(-len(panels) // columns)
    height = min(_TALLEST, 0.25 + 0.66 * width / columns)
    figure = new_figure(width, height * rows + 0.3, theme)
    charts = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for number, axes in enumerate(charts.flat):
        if number >= len(panels):
            axes.set_axis_off()
            continue
        for line in panels[number].lines:
            _draw(axes, line)
        _dress(axes, panels[number].title, said, theme, int(15 * width / columns))
        axes.tick_params(labelbottom=number + columns >= len(panels))
    figure.supxlabel(said.x, fontsize=9, color=theme.ink)
    figure.supylabel(said.y, fontsize=9, color=theme.ink)
    return encode(figure)


def _draw(axes: Any, line: Line) -> None:
    color, dash = color_of(line.run), _DASHES[_dash(line.run)]
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=color, alpha=0.15, linewidth=0)
    marker = "o" if len(line.x) <= 12 else None
    axes.plot(
        line.x,
        line.y,
        color=color,
        linestyle=dash,
        linewidth=1.5,
        marker=marker,
        markersize=3.5,
        clip_on=False,
        zorder=3,
    )


def _dress(axes: Any, title: str, said: Axes, theme: Theme, longest: int) -> None:
    frame(axes, theme)
    axes.set_title(literal(plain(title), max(12, longest)), fontsize=9, color=theme.ink, loc="left")
    if said.percent:
        axes.set_ylim(0, 100)
    if said.logarithmic:
        axes.set_yscale("log")
    if said.ticks is not None:
        axes.set_xticks(said.ticks)


def thinned(x: Sequence[float], y: Sequence[float], most: int = 200) -> tuple[list[float], list[float]]:
    """Return at most `most` points, each the mean of as many neighbours."""
    if len(x) <= most:
        return list(x), list(y)
    parts = np.array_split(np.arange(len(x)), most)
    return [float(np.mean([x[i] for i in part])) for part in parts], [
        float(np.mean([y[i] for i in part])) for part in parts
    ]
