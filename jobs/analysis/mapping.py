"""Maps over frequency as the findings of an analysis: arrays, summaries, and pictures in one scale of colors."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.frequencies import distinct_frequencies
from passband.jobs.analysis.results import Analysis, MapSummary
from passband.jobs.analysis.study import Findings

Floats = NDArray[np.float64]
TITLES = {
    "original": "error rate, noise of one norm",
    "enhanced": "error rate, noise in proportion to the data",
    "amplitude": "mean amplitude of the data",
}
"""Map -> title of its picture, which is called NAME.png."""


def found_maps(maps: Mapping[str, Floats], summaries: Sequence[MapSummary], evaluations: int = 0) -> Findings:
    """Return maps, (H, W) and centered, with their pictures."""
    return Findings({"maps": list(summaries)}, dict(maps), _pictures(maps), evaluations)


def told_maps(found: Analysis) -> list[str]:
    """Spell maps for a terminal, a row each."""
    lines = [f"{'map':<10}{'mean l1':>9}{'+-':>9}{'largest':>10}"]
    for summary in found.maps:
        error = "?" if summary.standard_error is None else f"{summary.standard_error:.4f}"
        lines.append(f"{summary.name:<10}{summary.mean_l1:>9.4f}{error:>9}{summary.largest:>10.4f}")
    if evaluated := found.maps[0].frequencies:
        of = len(distinct_frequencies(*found.shape[1:]))
        lines += ["", f"frequencies {evaluated:,} of {of:,}, the rest as the nearest"]
    return lines


def _pictures(maps: Mapping[str, Floats]) -> dict[str, bytes]:
    from passband.jobs.drawing.heatmaps import heatmap_png  # matplotlib takes a while to import

    largest = max(float(values.max()) for values in maps.values())
    return {
        f"{name}.png": heatmap_png(
            values,
            largest=largest,
            logarithmic=name == "amplitude",
            title=name,
            label=TITLES[name],
        )
        for name, values in maps.items()
    }
