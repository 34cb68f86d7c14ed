import io

import numpy as np
import pytest
from matplotlib.colors import LogNorm
from PIL import Image

from passband.jobs.drawing.charts import DARK, LIGHT
from passband.jobs.drawing.heatmaps import Heatmap, color_scale, fitted_width, heatmap_png, heatmaps_png
from passband.jobs.generation.card.figures import color_stops


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        assert "Software" not in image.info
        return np.asarray(image.convert("RGB")).astype(int)


def rgb(css):
    return np.array([int(css[start : start + 2], 16) for start in (1, 3, 5)])


def amount(shown, css):
    """Share of the pixels that have this colour."""
    return (abs(shown - rgb(css)).max(axis=2) <= 3).mean()


LOW, MIDDLE, HIGH = color_stops(3)


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_ends_of_the_scale_have_the_colors_of_its_ends(logarithmic):
    scale = {"largest": 100.0, "smallest": 1.0, "logarithmic": logarithmic}
    for value, color in [(0.0, LOW), (1.0, LOW), (10.0 if logarithmic else 50.5, MIDDLE), (100.0, HIGH), (1e6, HIGH)]:
        assert amount(pixels(heatmap_png(np.full((8, 8), value), **scale)), color) > 0.3, value


def test_maps_share_one_scale():
    both = [Heatmap("quiet", np.full((8, 8), 0.2)), Heatmap("loud", np.full((8, 8), 0.4))]
    shown = pixels(heatmaps_png(both, largest=0.4))
    assert amount(shown, MIDDLE) == pytest.approx(amount(shown, HIGH), rel=0.05)
    assert amount(shown, MIDDLE) > 0.2


@pytest.mark.parametrize("shape", [(8, 8), (9, 7), (7, 9)])
def test_the_map_is_neither_turned_nor_mirrored(shape):
    values = np.full(shape, 0.5)
    values[0, 0] = 1.0
    shown = abs(pixels(heatmap_png(values, largest=1.0, width=9.6)) - rgb(MIDDLE)).max(axis=2) <= 3
    rows, columns = np.nonzero(shown.cumsum(axis=1) > 20)[0], np.nonzero(shown.cumsum(axis=0) > 20)[1]
    top, left = rows.min(), columns.min()
    assert (abs(pixels(heatmap_png(values, largest=1.0, width=9.6))[top + 5, left + 5] - rgb(HIGH)) <= 3).all()


def test_a_logarithmic_scale_begins_at_what_is_there_but_spans_no_more_than_six_decades():
    values = np.array([[0.0, 0.5], [2.0, 1000.0]])
    scale = color_scale([values], 1000.0, 0.0, True)
    assert isinstance(scale, LogNorm)
    assert (scale.vmin, scale.vmax) == (0.5, 1000.0)
    assert color_scale([values * 0 + 1e-30], 1000.0, 0.0, True).vmin == pytest.approx(1e-3)
    assert color_scale([values], 1000.0, 2.0, True).vmin == 2.0


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.full((1, 1), np.nan), np.full((2, 3), 1e-300)])
def test_a_map_without_contrast_or_numbers_is_drawn(values, logarithmic):
    assert heatmap_png(values, largest=0.0, logarithmic=logarithmic)


@pytest.mark.parametrize(
    ("number", "width", "theme"), [(1, 3.8, LIGHT), (5, 3.8, DARK), (2, 9.6, DARK), (7, 9.6, LIGHT)]
)
def test_nothing_is_cut_off_and_bytes_repeat(number, width, theme):
    rng = np.random.default_rng(0)
    names = ["original", "_hidden", "$x", "a-name-of-a-map-that-is-far-too-long-for-its-place-2", *"567"]
    maps = [Heatmap(name, rng.random((32, 32)), "a note" if number > 2 else "") for name in names[:number]]
    png = heatmaps_png(maps, largest=1.0, label="error rate", theme=theme, width=width)
    assert png == heatmaps_png(maps, largest=1.0, label="error rate", theme=theme, width=width)
    shown = pixels(png)
    assert shown.shape[1] == round(150 * fitted_width(maps, width)) <= round(150 * width)
    edges = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    assert (edges == rgb(theme.paper)).all(), "something is cut off"


def test_maps_of_unlike_shapes_stand_side_by_side():
    maps = [Heatmap("square", np.full((8, 8), 1.0)), Heatmap("wide", np.full((5, 20), 1.0))]
    shown = pixels(heatmaps_png(maps, largest=1.0))
    assert amount(shown, HIGH) > 0.15
