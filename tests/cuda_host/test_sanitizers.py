"""No race, no wrong or misaligned address in any kernel: what the sanitizers say of all calls."""

import pytest

from tests.cuda_host.barriers import barriers
from tests.cuda_host.calls import LARGE, SMALL, SQUARES, calls
from tests.cuda_host.launches import by_call, covering
from tests.cuda_host.marks import needs_compiler
from tests.cuda_host.sanitized import run_sanitized

pytestmark = needs_compiler

FULL = [pytest.param((shape,), id=str(shape), marks=pytest.mark.cuda_full) for shape in (*SMALL, *SQUARES)]


def assert_clean(sanitizer, made):
    done = run_sanitized(sanitizer, made)
    said = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"in {said}:\n{done.stderr}"
    assert said == [f"{len(made)} calls made"]


@pytest.mark.slow
@pytest.mark.parametrize(("sanitizer", "shape"), [("thread", SQUARES[0]), ("address", SMALL[0])])
def test_every_kernel_with_barriers_is_clean_once(sanitizer, shape):
    found, sources = by_call((shape,)), {barrier.source for barrier in barriers()}
    made = covering({call: [one for one in run if one.source in sources] for call, run in found.items()})
    assert len(made) > 4
    assert_clean(sanitizer, made)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("shapes", FULL)
@pytest.mark.parametrize("sanitizer", ["thread", "address"])
def test_every_call_is_clean(sanitizer, shapes):
    assert_clean(sanitizer, calls(shapes))


@pytest.mark.cuda_full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("sanitizer", ["thread", "address"])
def test_large_planes_are_clean(sanitizer):
    """Those kernels alone that only large planes have: a block takes a second."""
    before = {launch.build for run in by_call().values() for launch in run}
    own = {call: [launch for launch in run if launch.build not in before] for call, run in by_call(LARGE).items()}
    assert_clean(sanitizer, covering(own))
