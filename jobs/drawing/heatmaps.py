"""Maps over spatial frequency in colours, zero frequency in the centre; several of them share one colour bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from passband.jobs.common.wording import plain
from passband.jobs.drawing.charts import COLORS, LIGHT, Theme, encode, literal, new_figure
from passband.jobs.drawing.heatmap_grid import Grid, arrange

Values = NDArray[np.floating[Any]]

_DECADES = 6


@dataclass(frozen=True)
class Heatmap:
    """A map to draw.

    Attributes
    ----------
    values : (H, W), zero frequency at (H // 2, W // 2); what is not a number is left grey
    note : a second line of the title
    """

    title: str
    values: Values
    note: str = ""


def heatmap_png(
    values: Values,
    *,
    largest: float,
    smallest: float = 0.0,
    logarithmic: bool = False,
    title: str = "",
    label: str = "",
    theme: Theme = LIGHT,
    width: float = 4.6,
) -> bytes:
    """Draw one map as PNG with its colour bar; the arguments are those of `heatmaps_png`."""
    return heatmaps_png(
        [Heatmap(title, values)],
        largest=largest,
        smallest=smallest,
        logarithmic=logarithmic,
        label=label,
        theme=theme,
        width=width,
    )


def heatmaps_png(
    maps: Sequence[Heatmap],
    *,
    largest: float,
    smallest: float = 0.0,
    logarithmic: bool = False,
    label: str = "",
    theme: Theme = LIGHT,
    width: float = 9.6,
) -> bytes:
    """Draw maps side by side, in as many rows as it takes, in one scale of colours.

    Parameters
    ----------
    maps : at least one
    largest, smallest : ends of the scale
        What lies beyond has the colour of the end. A logarithmic scale has no zero: where `smallest` is 0, it begins at
        the smallest positive value, at most six decades below the largest.
    label : of the colour bar
    width : most that the picture may take, in hundreds of CSS pixels; it takes no more than `fitted_width`
    """
    scale = color_scale([heatmap.values for heatmap in maps], largest, smallest, logarithmic)
    grid = _arranged(maps, width)
    figure = new_figure(grid.width, grid.height, theme)
    figure.set_layout_engine("none")
    for number, heatmap in enumerate(maps):
        axes = figure.add_axes(grid.place(number))
        picture = _draw(axes, heatmap, scale, theme)
        axes.set_title(_title(heatmap, grid.cell), fontsize=9, color=theme.ink, loc="left")
        axes.tick_params(labelleft=grid.starts_row(number) or not grid.alike)
        axes.set_ylabel("frequency, bins" if grid.starts_row(number) else "", fontsize=8, color=theme.ink)
        axes.set_xlabel("frequency, bins" if grid.in_last_row(number) else "", fontsize=8, color=theme.ink)
    _add_bar(figure, picture, grid, label, theme)
    return encode(figure)


def fitted_width(maps: Sequence[Heatmap], width: float) -> float:
    """Return how wide `heatmaps_png` draws maps that may take `width`, hundreds of CSS pixels."""
    return _arranged(maps, width).width


def _arranged(maps: Sequence[Heatmap], width: float) -> Grid:
    noted = any(heatmap.note for heatmap in maps)
    return arrange([heatmap.values.shape for heatmap in maps], width, title_lines=2 if noted else 1)


def color_scale(maps: Sequence[Values], largest: float, smallest: float, logarithmic: bool) -> Normalize:
    """Return the scale that maps share; one end above the other, whatever is given."""
    if not logarithmic:
        return Normalize(smallest, largest if largest > smallest else smallest + 1.0, clip=True)
    top = largest if largest > 0 else 1.0
    positive = [float(found.min()) for values in maps if (found := values[values > 0]).size]
    bottom = smallest if smallest > 0 else max(min(positive, default=top), top / 10**_DECADES)
    return LogNorm(bottom if bottom < top else top / 10, top, clip=True)


def _title(heatmap: Heatmap, room: float) -> str:
    lines = [heatmap.title, *([heatmap.note] if heatmap.note else [])]
    return "\n".join(literal(plain(line), max(12, int(13 * room))) for line in lines)


def _draw(axes: Any, heatmap: Heatmap, scale: Normalize, theme: Theme) -> Any:
    height, width = heatmap.values.shape
    values = np.ma.masked_invalid(heatmap.values)
    if isinstance(scale, LogNorm) and scale.vmin is not None:
        values = np.ma.maximum(values, scale.vmin)  # a logarithm of zero would be no number
    left, top = -(width // 2) - 0.5, -(height // 2) - 0.5
    extent = (left, left + width, top + height, top)
    picture = axes.imshow(values, COLORS, norm=scale, extent=extent, interpolation="nearest")
    axes.set_anchor("NW")
    axes.set_facecolor(theme.quiet)  # shows where there is no number
    axes.tick_params(colors=theme.ink, labelsize=8, length=2.5, color=theme.quiet)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 4, 5, 8, 10]))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return picture


def _add_bar(figure: Any, picture: Any, grid: Grid, label: str, theme: Theme) -> None:
    place = figure.add_axes(grid.bar())
    bar = figure.colorbar(picture, cax=place, orientation="horizontal" if grid.narrow else "vertical")
    bar.set_label(label, color=theme.ink, fontsize=9)
    bar.ax.tick_params(which="both", colors=theme.ink, labelsize=8, color=theme.quiet)
    bar.outline.set_visible(False)
