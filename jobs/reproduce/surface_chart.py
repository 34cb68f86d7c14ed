"""Losses and accuracy over a plane in colours, with the paths of trainings over them (FGMix, figure 6)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from passband.jobs.drawing.charts import COLORS, Theme, encode, literal, new_figure
from passband.jobs.reproduce.surface import ACCURACY, AVERAGED, BOTH, ORIGINALS
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore

_LEVELS = 14
_BESIDE = 6.0
"""Hundreds of CSS pixels from which the pictures stand side by side."""
_HUES = ("#56B4E9", "#009E73")
"""Of ERM and of FGMix; averaged weights are dashed."""
_OUTLINE = [withStroke(linewidth=3.2, foreground="white")]


@dataclass(frozen=True)
class Surface:
    """What a node of kind surface says.

    Attributes
    ----------
    x, y : coordinates of the plane's points
    values : "originals", "both" and "accuracy" -> (y, x), accuracies 0 to 1
    paths : name -> (points, 2); the first is ERM's, the second FGMix's
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    paths: Mapping[str, NDArray[np.float64]]


def read_surface(folder: str) -> Surface:
    """Return what lies in the folder of a node."""
    found = read_sealed(LocalStore(folder), RESULTS)
    values = {name: np.array(found[name]) for name in (ORIGINALS, BOTH, ACCURACY)}
    paths = {name: np.array(path) for name, path in found["paths"].items()}
    return Surface(np.array(found["x"]), np.array(found["y"]), values, paths)


def surface_png(surface: Surface, accuracy: str, theme: Theme, width: float) -> bytes:
    """Draw the loss of the originals, that with mixtures, in one scale, and the accuracy, as PNG.

    Parameters
    ----------
    accuracy : title of the third picture
    width : of the picture, in hundreds of CSS pixels
    """
    beside = width >= _BESIDE
    figure = new_figure(width, 3.9 if beside else 9.4, theme)
    axes = figure.subplots(1, 3, sharey=True) if beside else figure.subplots(3, 1, sharex=True)
    for place, picture in zip(axes, _pictures(surface, accuracy), strict=True):
        drawn = _colored(place, surface, picture)
        _add_bar(figure, drawn, place, picture.label, beside, theme)
        _add_paths(place, surface, picture.paths)
        place.set_title(literal(picture.title, 40), fontsize=9, color=theme.ink, loc="left")
        place.tick_params(colors=theme.ink, labelsize=8, color=theme.quiet)
        for spine in place.spines.values():
            spine.set_visible(False)
    (axes[0] if beside else axes[1]).set_ylabel("distance up", color=theme.ink, fontsize=9)
    (axes[1] if beside else axes[2]).set_xlabel("distance across, from the first weights", color=theme.ink, fontsize=9)
    figure.legend(
        handles=[line for line in axes[2].get_lines() if line.get_label() in surface.paths],
        loc="outside lower center",
        ncols=4 if beside else 2,
        frameon=False,
        fontsize=9,
        labelcolor=theme.ink,
    )
    return encode(figure)


@dataclass(frozen=True)
class _Picture:
    """One of the three: what is drawn, the edges of its colours, and the names of the paths over it."""

    title: str
    label: str
    values: NDArray[np.float64]
    levels: NDArray[np.float64]
    logarithmic: bool
    paths: list[str]


def _pictures(surface: Surface, accuracy: str) -> Iterator[_Picture]:
    """Yield both losses, in one scale, and the accuracy."""
    erm, fgmix = ([name, name + AVERAGED] for name in surface.paths if not name.endswith(AVERAGED))
    originals, both, right = surface.values[ORIGINALS], surface.values[BOTH], 100 * surface.values[ACCURACY]
    levels = np.geomspace(min(originals.min(), both.min()), 1.001 * max(originals.max(), both.max()), _LEVELS)
    yield _Picture("loss of the originals", "loss", originals, levels, True, erm)
    yield _Picture("loss of originals and mixtures", "loss", both, levels, True, fgmix)
    linear = np.asarray(MaxNLocator(_LEVELS).tick_values(right.min(), max(right.max(), right.min() + 1)))
    yield _Picture(accuracy, "accuracy, %", right, linear, False, erm + fgmix)


def _colored(axes: Any, surface: Surface, picture: _Picture) -> Any:
    levels = picture.levels
    norm = (LogNorm if picture.logarithmic else Normalize)(levels[0], levels[-1])
    at = (surface.x, surface.y, picture.values)
    drawn = axes.contourf(*at, levels=levels, cmap=COLORS, norm=norm, extend="both")
    axes.contour(*at, levels=levels, colors="white", linewidths=0.4, alpha=0.5)
    return drawn


def _add_bar(figure: Any, picture: Any, axes: Any, label: str, beside: bool, theme: Theme) -> None:
    """Add the scale of a picture; losses have few of their levels named, as those of a logarithm crowd."""
    bar = figure.colorbar(picture, ax=axes, location="bottom" if beside else "right", fraction=0.06, pad=0.02)
    if isinstance(picture.norm, LogNorm):
        ends = picture.levels[:: (len(picture.levels) - 1) // 3]
        bar.set_ticks(ends, labels=[f"{level:.2g}" for level in ends])
        bar.minorticks_off()
    bar.set_label(label, color=theme.ink, fontsize=8)
    bar.ax.tick_params(colors=theme.ink, labelsize=8, color=theme.quiet)
    bar.outline.set_visible(False)


def _add_paths(axes: Any, surface: Surface, names: Sequence[str]) -> None:
    plain = [name for name in surface.paths if not name.endswith(AVERAGED)]
    for name in names:
        path, averaged = surface.paths[name], name.endswith(AVERAGED)
        color = _HUES[plain.index(name.removesuffix(AVERAGED))]
        style = {"linestyle": "--", "marker": "s"} if averaged else {"linestyle": "-", "marker": "o"}
        (line,) = axes.plot(*path.T, color=color, linewidth=1.6, markersize=3.5, label=name, **style)
        line.set_path_effects(_OUTLINE)
        axes.plot(*path[-1], "*", color=color, markersize=12, markeredgecolor="white")
