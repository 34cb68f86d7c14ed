"""The sensitivity maps of a reproduction's networks, side by side in one scale of colours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.drawing.charts import Theme
from passband.jobs.drawing.heatmaps import Heatmap, heatmaps_png
from passband.jobs.reproduce.recipe import MapGrid
from passband.pipeline.layout import MAPS


def read_maps(grid: MapGrid, places: Mapping[str, str]) -> list[Heatmap]:
    """Return the maps of a grid whose nodes are there; `places`: node -> folder."""
    found = {label: places[node] for label, node in grid.nodes.items() if node in places}
    return [Heatmap(label, _read(Path(folder) / MAPS, grid.map)) for label, folder in found.items()]


def _read(path: Path, name: str) -> NDArray[np.floating[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        values: NDArray[np.floating[Any]] = arrays[name]
    return values


def maps_png(maps: Sequence[Heatmap], theme: Theme, width: float) -> bytes:
    """Draw maps as PNG; the largest entry of any of them is the end of the scale."""
    largest = max(float(heatmap.values.max()) for heatmap in maps)
    return heatmaps_png(maps, largest=largest, label="error rate", theme=theme, width=width)
