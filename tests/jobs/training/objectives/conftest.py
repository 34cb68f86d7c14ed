from pathlib import Path

import pytest

from passband.jobs.generation.run import generate
from tests.jobs.generation.made import small_job


@pytest.fixture(scope="session")
def digits_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """355 stored digits, 16 x 16, two views."""
    path = tmp_path_factory.mktemp("objectives") / "set"
    views = ["clean", {"radial": {"high": 4}, "name": "low"}]
    generate(small_job(path, views=views, output={"encoding": "npy", "formats": ["webdataset"]}))
    return path
