"""What every chart of a page shares: colours for day and night, a quiet frame, PNG as a data URI.

Without pyplot, so without state that others could see.
"""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

COLORS = "magma"
"""The scale of pictures of numbers."""
LINES = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#7F6A3F",
    "#8B5FBF",
)  # Okabe and Ito, no yellow
_WIDE, _NARROW = 9.6, 3.8  # hundreds of CSS pixels


@dataclass(frozen=True)
class Theme:
    """Colours of a chart: ground, text and first line, grid."""

    paper: str
    ink: str
    quiet: str


LIGHT = Theme("#ffffff", "#222222", "#d9d9d9")
DARK = Theme("#1b1c1e", "#e4e4e2", "#3a3c40")


def variants(draw: Callable[[Theme, float], bytes]) -> list[tuple[str, str]]:
    """Return a chart for every screen: (media query, data URI) of narrow and wide, dark and light.

    Parameters
    ----------
    draw : (theme, width in hundreds of CSS pixels) -> PNG

    Returns
    -------
    list; the first query that fits is shown, the last is empty
    """
    return [
        (query, data_uri(draw(theme, width)))
        for query, theme, width in (
            ("(max-width: 600px) and (prefers-color-scheme: dark)", DARK, _NARROW),
            ("(max-width: 600px)", LIGHT, _NARROW),
            ("(prefers-color-scheme: dark)", DARK, _WIDE),
            ("", LIGHT, _WIDE),
        )
    ]


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """Return an empty figure of hundreds of CSS pixels, at a density for sharp screens."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=150, facecolor=theme.paper)
    FigureCanvasAgg(figure)
    return figure


def encode(figure: Figure) -> bytes:
    """Return a figure as PNG of 256 colours, which takes a third; the same figure gives the same bytes."""
    canvas: Any = figure.canvas
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    buffer = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def frame(axes: Any, theme: Theme) -> None:
    """Give a chart its grid, and axes in the colours of `theme`."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(colors=theme.ink, labelsize=9)
    axes.grid(color=theme.quiet, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(theme.quiet)


def literal(text: str, longest: int = 20) -> str:
    """Return a label that fits, and that matplotlib neither hides (leading underscore) nor reads as mathematics."""
    tail = longest // 2 - 1
    short = text if len(text) <= longest else f"{text[: longest - tail - 1]}\u2026{text[-tail:]}"
    return short.lstrip("_").replace("$", r"\$")


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that carries it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
