"""The drawings of a card that need matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passband.jobs.drawing.charts import COLORS, LINES, Theme, encode, frame, literal, new_figure

_LARGEST_PANEL = 160
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Curve:
    """One view in the chart; curves of one `recipe` share a colour."""

    name: str
    recipe: int
    values: NDArray[np.float64]


def spectrum_picture(spectrum_hw: NDArray[np.float64], highest: float) -> Image.Image:
    """Return a spectrum in colours, 0 to `highest`; one of more than 160 pixels is averaged over squares."""
    values = Image.fromarray(spectrum_hw.astype(np.float32))
    values = values.reduce(-(-max(values.size) // _LARGEST_PANEL))
    return Image.fromarray(matplotlib.colormaps[COLORS](np.asarray(values) / (highest or 1.0), bytes=True)[..., :3])


def color_stops(number: int = 9) -> list[str]:
    """Return `number` colours of the scale of `spectrum_picture` from low to high, as CSS."""
    return [matplotlib.colors.to_hex(color) for color in matplotlib.colormaps[COLORS](np.linspace(0, 1, number))]


def profile_png(curves: Sequence[Curve], nyquist: int, theme: Theme, width: float) -> bytes:
    """Draw radial profiles in one chart.

    Parameters
    ----------
    curves : the first is the clean one
    nyquist : int
        Distance in bins beyond which a ring leaves the spectrum's shorter side.
    width : float
        Of the chart, in hundreds of CSS pixels.
    """
    rows = -(-len(curves) // max(1, int(width / 1.5)))
    figure = new_figure(width, min(3.4, 0.85 * width) + 0.24 * rows, theme)
    axes = figure.add_subplot()
    drawn: dict[int, int] = {}
    for position, curve in enumerate(curves):
        copy = drawn.get(curve.recipe, 0)
        drawn[curve.recipe] = copy + 1
        clean = position == 0
        axes.plot(
            np.arange(len(curve.values)),
            curve.values,
            color=theme.ink if clean else LINES[(curve.recipe - 1) % len(LINES)],
            linestyle=_DASHES[(copy + (curve.recipe - 1) // len(LINES)) % len(_DASHES)] if not clean else "-",
            linewidth=2.2 if clean else 1.4,
            marker="o" if len(curve.values) < 3 else None,
            markersize=4,
            label=literal(curve.name) or "view",
        )
    _dress(axes, nyquist, theme, len(curves[0].values))
    figure.legend(
        loc="outside lower center", ncols=max(1, int(width / 1.5)), frameon=False, fontsize=9, labelcolor=theme.ink
    )
    return encode(figure)


def _dress(axes: Any, nyquist: int, theme: Theme, rings: int) -> None:
    axes.set_xlabel("distance from zero frequency, bins", color=theme.ink, fontsize=9)
    axes.set_ylabel("mean log(1 + amplitude)", color=theme.ink, fontsize=9)
    axes.xaxis.get_major_locator().set_params(integer=True)
    frame(axes, theme)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    if 1 < nyquist < rings - 1:
        axes.axvline(nyquist, color=theme.ink, linewidth=0.8, linestyle=(0, (1, 3)))
        axes.text(
            nyquist, 0.99, " corners only", color=theme.ink, fontsize=8, va="top", transform=axes.get_xaxis_transform()
        )
