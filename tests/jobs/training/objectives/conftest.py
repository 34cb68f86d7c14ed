from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from passband.jobs.generation.run import generate
from tests.jobs.generation.made import small_job


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only lose by waking threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """355 stored digits, 16 x 16, two views."""
    path = tmp_path_factory.mktemp("objectives") / "set"
    views = ["clean", {"radial": {"high": 4}, "name": "low"}]
    generate(small_job(path, views=views, output={"encoding": "npy", "formats": ["webdataset"]}))
    return path
