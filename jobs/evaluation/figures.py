"""The drawings of an evaluation's report; accuracies are in percent."""

from collections.abc import Sequence
from typing import Any

from passband.jobs.drawing.charts import LINES, Theme, encode, frame, literal, new_figure
from passband.jobs.evaluation.results import Row

_DASHES = ("-", "--", ":")
_CELL = 1.9  # least width of one small chart, hundreds of CSS pixels


def severity_png(rows: Sequence[Row], clean: Row | None, theme: Theme, width: float) -> bytes:
    """Draw accuracy over severity, a small chart for each corruption on shared axes; the clean one is severity 0."""
    families = list(dict.fromkeys(row.family for row in rows))
    columns = min(len(families), max(1, int(width / _CELL)))
    lines = -(-len(families) // columns)
    figure = new_figure(width, 1.55 * lines + 0.3, theme)
    charts = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for number, axes in enumerate(charts.flat):
        if number >= len(families):
            axes.set_axis_off()
            continue
        family = families[number]
        _band(axes, [*([clean] if clean else []), *(row for row in rows if row.family == family)], LINES[0], family)
        frame(axes, theme)
        axes.set_title(literal(family, 24).replace("_", " "), fontsize=9, color=theme.ink, loc="left")
        axes.tick_params(labelbottom=number + columns >= len(families))
        axes.set_ylim(0, 100)
        axes.set_xticks(sorted({row.level for row in rows if row.level is not None} | ({0} if clean else set())))
    figure.supxlabel("severity", fontsize=9, color=theme.ink)
    figure.supylabel("accuracy, %", fontsize=9, color=theme.ink)
    return encode(figure)


def frequency_png(rows: Sequence[Row], theme: Theme, width: float) -> bytes:
    """Draw accuracy over the radius of a low- and a high-pass."""
    figure = new_figure(width, min(3.2, 0.8 * width), theme)
    axes: Any = figure.add_subplot()
    for number, (kind, label) in enumerate((("low", "low-pass: below it"), ("high", "high-pass: the rest"))):
        _band(axes, [row for row in rows if row.kind == kind], LINES[number], label)
    frame(axes, theme)
    axes.set_ylim(0, 100)
    axes.set_xticks(sorted({row.level for row in rows if row.level is not None}))
    axes.set_xlabel("radius, frequency bins", fontsize=9, color=theme.ink)
    axes.set_ylabel("accuracy, %", fontsize=9, color=theme.ink)
    axes.legend(frameon=False, fontsize=9, labelcolor=theme.ink)
    return encode(figure)


def smoothing_png(found: Sequence[tuple[Row, dict[float, Row]]], theme: Theme, width: float) -> bytes:
    """Draw accuracy over rho, a line a condition; `found` has the condition's row and its rows by rho."""
    figure = new_figure(width, min(3.6, 0.8 * width), theme)
    axes: Any = figure.add_subplot()
    for number, (row, by_rho) in enumerate(found):
        strengths = sorted(by_rho)
        accuracy = [100 * by_rho[rho].accuracy for rho in strengths]
        look = {"color": LINES[number % len(LINES)], "linestyle": _DASHES[number // len(LINES) % len(_DASHES)]}
        axes.plot(strengths, accuracy, **look, linewidth=1.6, marker="o", markersize=3.5, clip_on=False, zorder=3,
                  label=literal(row.condition, 30))  # fmt: skip
    frame(axes, theme)
    axes.set_ylim(0, 100)
    axes.set_xlabel("rho", fontsize=9, color=theme.ink)
    axes.set_ylabel("accuracy, %", fontsize=9, color=theme.ink)
    axes.legend(frameon=False, fontsize=9, labelcolor=theme.ink)
    return encode(figure)


def intervals_png(rows: Sequence[Row], theme: Theme, width: float) -> bytes:
    """Draw one dot a condition with its interval, in the order of `rows`."""
    figure = new_figure(width, 0.3 * len(rows) + 0.75, theme)
    axes: Any = figure.add_subplot()
    places = range(len(rows))
    for place, row in zip(places, rows, strict=True):
        axes.plot([100 * row.low, 100 * row.high], [place, place], color=LINES[0], linewidth=2, solid_capstyle="butt")
        axes.plot([100 * row.accuracy], [place], "o", color=LINES[0], markersize=6, clip_on=False)
    frame(axes, theme)
    axes.set_yticks(places, [literal(row.condition, 16 if width < 5 else 40) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy, %", fontsize=9, color=theme.ink)
    return encode(figure)


def _band(axes: Any, rows: Sequence[Row], color: str, label: str) -> None:
    levels = [row.level for row in rows]
    axes.fill_between(
        levels, [100 * row.low for row in rows], [100 * row.high for row in rows], color=color, alpha=0.2, linewidth=0
    )
    axes.plot(
        levels,
        [100 * row.accuracy for row in rows],
        color=color,
        linewidth=1.6,
        marker="o",
        markersize=3.5,
        clip_on=False,  # whole marks at 0 and 100
        zorder=3,
        label=label,
    )
