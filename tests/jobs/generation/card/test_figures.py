import io

import numpy as np
import pytest
from PIL import Image

from passband.jobs.drawing.charts import DARK, LIGHT
from passband.jobs.generation.card.figures import Curve, color_stops, profile_png, spectrum_picture


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        assert not {"Software", "Creation Time", "date"} & image.info.keys()
        return np.asarray(image.convert("RGB"))


def rgb(css):
    return [int(css[start : start + 2], 16) for start in (1, 3, 5)]


def test_panels_share_one_scale():
    low, high = (np.asarray(spectrum_picture(np.full((8, 8), value), 6.0)) for value in (0.0, 6.0))
    both = np.asarray(spectrum_picture(np.array([[0.0, 6.0], [3.0, 6.0]]), 6.0))
    stops = color_stops(9)
    for shown, stop in [(low, 0), (high, -1), (both[0, 0], 0), (both[0, -1], -1), (both[-1, 0], 4)]:
        np.testing.assert_allclose(shown, np.broadcast_to(rgb(stops[stop]), shown.shape), atol=3)
    assert (both[-1, -1] == high[0, 0]).all()


@pytest.mark.parametrize(
    ("shape", "shown"), [((1, 1), (1, 1)), ((32, 16), (32, 16)), ((160, 99), (160, 99)), ((512, 384), (128, 96))]
)
def test_a_panel_keeps_the_shape_of_its_spectrum(shape, shown):
    assert np.asarray(spectrum_picture(np.zeros(shape), 0.0)).shape == (*shown, 3)


def test_a_large_panel_is_averaged_over_squares():
    low, high = np.zeros((320, 320)), np.full((320, 320), 4.0)
    mixed = np.where(np.indices((320, 320)).sum(axis=0) % 2, 4.0, 0.0)  # a chessboard of both
    same = spectrum_picture((low + high) / 2, 4.0)
    assert np.array_equal(spectrum_picture(mixed, 4.0), same)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("width", [3.8, 9.6])
def test_a_chart_is_as_wide_as_asked_and_repeats_its_bytes(theme, width):
    rng = np.random.default_rng(0)
    names = ["clean", "_hidden", "$x", "a-name-of-a-view-that-is-far-too-long-for-a-legend-2"]
    curves = [Curve(name, recipe, rng.random(23)) for recipe, name in enumerate(names)]
    chart = profile_png(curves, 16, theme, width)
    assert chart == profile_png(curves, 16, theme, width)
    shown = pixels(chart)
    assert shown.shape[1] == round(150 * width)
    edges = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    assert (edges == rgb(theme.paper)).all(), "something is cut off"


def test_a_single_point_is_visible():
    blank = profile_png([Curve("clean", 0, np.array([np.nan]))], 0, LIGHT, 3.8)
    point = profile_png([Curve("clean", 0, np.array([2.0]))], 0, LIGHT, 3.8)
    assert (pixels(point) == rgb(LIGHT.ink)).all(axis=2).sum() > (pixels(blank) == rgb(LIGHT.ink)).all(axis=2).sum()
