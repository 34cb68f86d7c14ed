"""The queue: every row is looked at until it is done, never by two at once, and a failure ends all threads."""

from threading import Lock

import numpy as np
import pytest

from passband.kernels import cpu
from passband.pipeline.attacks.compaction import work_off


@pytest.mark.parametrize("count", [0, 1, 7, 64])
def test_rows_are_looked_at_until_they_are_done(count):
    looks, out, lock = np.zeros(count, int), set(), Lock()

    def look(rows):
        with lock:
            assert out.isdisjoint(rows.tolist())
            out.update(rows.tolist())
        assert 0 < len(rows) <= 5
        looks[rows] += 1
        with lock:
            out.difference_update(rows.tolist())
        return rows[looks[rows] <= rows % 4]

    work_off(look, count, 5, cpu)
    np.testing.assert_array_equal(looks, np.arange(count) % 4 + 1)


def test_an_error_ends_all_threads():
    def look(rows):
        if 3 in rows:
            raise ValueError("row 3")
        return rows[:0]

    with pytest.raises(ValueError, match="row 3"):
        work_off(look, 20, 2, cpu)
