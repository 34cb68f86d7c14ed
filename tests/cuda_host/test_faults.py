"""Every seeded fault is found by what must find it, and the kernels without a fault are found clean."""

import re
from functools import cache

import pytest

from passband.kernels.cuda.sources import kernel_names
from tests.cuda_host.faults import BLOCKS, SEEDS, THREADS, outcome, text
from tests.cuda_host.marks import needs_compiler
from tests.cuda_host.sanitized import run_sanitized

pytestmark = needs_compiler

RACE = "WARNING: ThreadSanitizer: data race"
FOUND_BY = {
    "neighbor": ("thread", RACE),
    "late_reader": ("thread", RACE),
    "same_value": ("thread", RACE),
    "missing_syncwarp": ("thread", RACE),
    "blocks_collide": ("thread", RACE),
    "shared_overrun": ("address", "AddressSanitizer: heap-buffer-overflow"),
    "global_overrun": ("address", "AddressSanitizer: heap-buffer-overflow"),
    "misaligned": ("address", "load of misaligned address|member access within misaligned address"),
    "divergent": ("launch", "is never reached by some threads|after a thread of the block has returned"),
    "early_return": ("launch", "after a thread of the block has returned|is never reached by some threads"),
    "two_lines": ("launch", "while other threads of the block wait at line"),
    "bad_mask": ("launch", "with a mask that lacks it"),
    "uninitialized": ("result", "nan"),
    "atomic_order": ("orders", ""),
}
CLEAN = [name for name in kernel_names(text()) if name.endswith("_ok")]


def found_by(means):
    return [pytest.param(name, pattern, id=name) for name, (by, pattern) in FOUND_BY.items() if by == means]


def test_every_fault_has_what_finds_it():
    assert {*FOUND_BY, *CLEAN} == set(kernel_names(text()))
    assert set(BLOCKS) < set(FOUND_BY) | set(CLEAN)
    assert len(CLEAN) > 5


@cache
def reports(sanitizer):
    """Return name -> what the sanitizer says, of every kernel that it is to judge."""
    names = [name for name, (by, _) in FOUND_BY.items() if by == sanitizer] + CLEAN
    done = run_sanitized(sanitizer, names, "tests.cuda_host.faults")
    assert done.returncode == 0, done.stderr
    _, *parts = re.split(r"^== (\w+)\n", done.stderr, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("sanitizer", [pytest.param("thread", marks=pytest.mark.slow), "address"])
def test_what_has_no_fault_is_clean(sanitizer, name):
    assert reports(sanitizer)[name] == "clean\n"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pattern"), found_by("thread"))
def test_races_are_found(name, pattern):
    assert re.search(pattern, reports("thread")[name])


@pytest.mark.parametrize(("name", "pattern"), found_by("address"))
def test_wrong_addresses_are_found(name, pattern):
    assert re.search(pattern, reports("address")[name])


@pytest.mark.parametrize(("name", "pattern"), found_by("launch"))
@pytest.mark.parametrize("seed", SEEDS)
def test_threads_that_do_not_meet_are_refused(name, pattern, seed):
    assert re.search(pattern, outcome(name, seed))


@pytest.mark.parametrize(("name", "pattern"), found_by("result"))
def test_shared_memory_that_nobody_wrote_shows(name, pattern):
    assert pattern in str(outcome(name, 2))


@pytest.mark.parametrize(("name", "pattern"), found_by("orders"))
def test_a_result_that_depends_on_the_order_of_threads_shows(name, pattern):
    assert len({str(outcome(name, seed)) for seed in SEEDS}) > 1


@pytest.mark.parametrize("name", CLEAN)
def test_what_has_no_fault_is_the_same_in_every_order(name):
    results = [outcome(name, seed) for seed in SEEDS]
    assert len(results[0]) == THREADS
    assert results[0] == results[1] == results[2]
