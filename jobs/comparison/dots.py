"""Dots with intervals: a row a condition, in it a dot a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from passband.jobs.common.wording import plain
from passband.jobs.comparison.curves import color_of
from passband.jobs.drawing.charts import Theme, encode, frame, literal, new_figure


@dataclass(frozen=True)
class Dot:
    """A value with its interval, in percent."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What runs came to under one condition, by their places in the section."""

    title: str
    dots: Mapping[int, Dot]


def dots_png(rows: Sequence[Row], runs: int, theme: Theme, width: float) -> bytes:
    """Draw rows from top to bottom; the runs of a row lie below one another, the first on top."""
    step = 0.13 if runs > 1 else 0.0
    pitch = max(0.3, step * (runs + 1.2))
    figure = new_figure(width, pitch * len(rows) + 0.75, theme)
    axes: Any = figure.add_subplot()
    for place, row in enumerate(rows):
        for run, dot in row.dots.items():
            at = place + (run - (runs - 1) / 2) * step / pitch
            axes.plot([dot.low, dot.high], [at, at], color=color_of(run), linewidth=2, solid_capstyle="butt")
            axes.plot([dot.value], [at], "o", color=color_of(run), markersize=5, clip_on=False)
    frame(axes, theme)
    axes.set_yticks(range(len(rows)), [literal(plain(row.title), 16 if width < 5 else 40) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy, %", fontsize=9, color=theme.ink)
    return encode(figure)
