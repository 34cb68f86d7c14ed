from collections.abc import Iterator

import pytest

from tests.jobs.cluster.heads import Head, running


@pytest.fixture(scope="session")
def head(tmp_path_factory) -> Iterator[Head]:
    """The one head of a test run that tests share; those that end one run their own."""
    with running(tmp_path_factory.mktemp("state")) as found:
        yield found
