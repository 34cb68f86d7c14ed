"""The README's tables: every kernel is there, and no GPU holds fewer of its warps than they say."""

import pytest

from passband.kernels.cuda import sources
from tests.cuda_host.marks import needs_compiler, needs_nvrtc
from tests.cuda_host.table import BEGIN, END, README, byte_rows, render, resource_rows, stated


def every_kernel():
    return {f"{name[:-3]}: {k}" for name in sources.names() for k in sources.kernel_names(sources.read(name))}


def test_every_kernel_is_in_the_tables():
    rows, text = stated()
    assert README.read_text().count(BEGIN) == README.read_text().count(END) == 1
    assert {row.kernel for row in rows} == every_kernel()
    assert "a bound, not a measurement" in text


@needs_compiler
@needs_nvrtc
@pytest.mark.cuda_full
@pytest.mark.timeout(1200)
def test_the_table_of_resources_is_what_the_compiler_says():
    """Registers are another version's to change, and less occupancy than stated is not."""
    rows = {(row.kernel, row.made_for): row for row in stated()[0]}
    made = resource_rows()
    assert {(row.kernel, row.made_for) for row in made} == set(rows)
    for now in made:
        before = rows[now.kernel, now.made_for]
        assert (now.threads, now.shared_bytes) == (before.threads, before.shared_bytes), now
        assert all(new >= old for new, old in zip(now.percents, before.percents, strict=True)), (now, before)


@needs_compiler
@needs_nvrtc
@pytest.mark.cuda_full
@pytest.mark.timeout(1200)
def test_the_table_of_bytes_is_what_the_trace_says():
    """Bytes do not depend on a compiler."""
    moved = byte_rows()
    assert render([], moved).splitlines()[-len(moved) :] == stated()[1].splitlines()[-len(moved) :]
