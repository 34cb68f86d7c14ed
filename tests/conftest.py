from collections.abc import Iterator

import pytest

from jobs.executors.ray_session import local_ray


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """The one Ray of a test run, two workers wide; its GPUs are only numbers. No test may import ray before it."""
    with local_ray(2, num_gpus=2):
        yield
