"""What studies are tried on by hand: a linear classifier, whose margins are known, and images."""

from typing import Any

import numpy as np

from passband.jobs.analysis.inputs import Inputs
from passband.jobs.analysis.spec import parse_analyze_job
from passband.jobs.analysis.study import Material
from passband.jobs.analysis.subset import Strata
from passband.kernels import cpu
from passband.pipeline.surrogate.model import Surrogate
from passband.pipeline.surrogate.options import SurrogateOptions
from tests.pipeline.attacks.conftest import Linear

OPTIONS = SurrogateOptions.model_validate({"network": "lenet", "checkpoint": "model.pt", "batch": 4})


def job_with(**changes: Any) -> Any:
    given = {
        "kind": "analyze",
        "name": "small",
        "source": {"kind": "digits", "split": "test"},
        "image": {"size": 16},
        "surrogate": OPTIONS.model_dump(),
        "output": {"uri": "unused"},
    }
    return parse_analyze_job(given | changes)


def material(job: Any, weight: Any, count: int = 5, shape: tuple[int, int, int] = (2, 6, 7), kept: Any = None) -> Any:
    """Return images and a linear classifier of these weights, (classes, C H W); b is 0.1 for the first class."""
    rng = np.random.default_rng(3)
    channels, height, width = shape
    pixels = rng.integers(0, 256, (count, height, width, channels), np.uint8)
    classes, strata = len(weight), Strata(np.array([count]), np.array([count]))
    bias = np.zeros(classes, np.float32)
    bias[0] = 0.1
    inputs = Inputs(
        pixels,
        rng.integers(0, classes, count),
        np.arange(10, 10 + count, dtype=np.uint32),
        strata,
        np.zeros((height, width)),
        kept or {},
    )
    model = Surrogate(Linear(np.asarray(weight, np.float32), bias), OPTIONS, shape, cpu)
    return Material(job, 2**63 + 5, tuple(map(str, range(classes))), inputs, model)
