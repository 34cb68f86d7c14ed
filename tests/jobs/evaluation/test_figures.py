import io

import numpy as np
import pytest
from PIL import Image

from passband.jobs.drawing.charts import LIGHT, LINES
from passband.jobs.evaluation.figures import frequency_png, intervals_png, severity_png
from passband.jobs.evaluation.results import Row


def row(kind, level, accuracy):
    return Row(
        condition="x", kind=kind, family="fog", level=level, accuracy=accuracy, low=accuracy, high=accuracy,
        samples=9, dataset="d",
    )  # fmt: skip


def colored(png, color):
    """Return how many pixels have this color."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) == rgb).all(axis=2).sum())


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
@pytest.mark.parametrize(
    "draw",
    [
        lambda accuracy: intervals_png([row("test", None, accuracy)], LIGHT, 3.8),
        lambda accuracy: severity_png([row("corruption", 1, accuracy)], row("clean", 0, accuracy), LIGHT, 3.8),
        lambda accuracy: frequency_png([row("low", 4, accuracy), row("low", 8, accuracy)], LIGHT, 3.8),
    ],
)
def test_marks_at_the_ends_of_the_scale_are_whole(draw, accuracy):
    amount = colored(draw(0.5), LINES[0])
    assert colored(draw(accuracy), LINES[0]) == pytest.approx(amount, rel=0.2)  # its edge is smoothed elsewhere
