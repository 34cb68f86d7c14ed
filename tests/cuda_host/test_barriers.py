"""Without any one of its barriers a kernel has a race, or does not end: so none is missing, and none is superfluous."""

import re
from functools import cache

import pytest

from tests.cuda_host.barriers import Barrier, barriers
from tests.cuda_host.calls import SMALL, SQUARES
from tests.cuda_host.launches import by_call, covering, of_source
from tests.cuda_host.marks import needs_compiler
from tests.cuda_host.sanitized import run_sanitized

pytestmark = needs_compiler

DEFAULT = "stencil.cu"
EACH = [
    pytest.param(
        barrier, id=barrier.place(), marks=pytest.mark.slow if barrier.source == DEFAULT else pytest.mark.cuda_full
    )
    for barrier in barriers()
]


@cache
def reports(source: str) -> dict[Barrier, str]:
    """Return how the absence of each barrier of a source shows."""
    found = of_source(by_call((SMALL[0], SQUARES[0])) if source == DEFAULT else by_call(), source)
    few = covering(found)
    made = [*few, *(call for call in found if call not in few)]
    done = run_sanitized("thread", [source, *made], "tests.cuda_host.barriers")
    assert done.returncode == 0, done.stderr
    _, *parts = re.split(r"^== (\d+)\n", done.stderr, flags=re.MULTILINE)
    return {Barrier(source, int(number)): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("barrier", EACH)
def test_the_absence_of_a_barrier_is_found(barrier):
    said = reports(barrier.source)[barrier]
    found = "ThreadSanitizer: data race" in said or said.startswith("launch refused")
    assert found, f"{barrier.place()}: nothing shows that this barrier is needed\n{said}"
