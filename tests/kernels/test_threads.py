"""Ranges cover a batch exactly, on any number of threads, from any thread, and after a fork."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from passband.kernels.cpu import get_num_threads, normals, set_num_threads, svd_filter
from passband.kernels.cpu.threads import for_ranges, single_blas_thread, usable_cpus


@pytest.fixture(autouse=True)
def _restore():
    before = get_num_threads()
    yield
    set_num_threads(before)


def test_default_is_the_cpus_this_process_may_use():
    assert usable_cpus() >= 1


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(("count", "rows"), [(0, 3), (1, 3), (7, 3), (9, 3), (5, 100)])
def test_ranges_cover_the_batch_once(threads, count, rows):
    set_num_threads(threads)
    seen = np.zeros(count, int)

    def work(start, stop):
        assert 0 < stop - start <= rows
        seen[start:stop] += 1

    for_ranges(work, count, rows)
    assert (seen == 1).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failure_arrives_and_leaves_the_pool_whole(threads):
    set_num_threads(threads)

    def work(start, stop):
        if start == 4:
            raise OSError("row 4")

    for _ in range(3):
        with pytest.raises(OSError, match="row 4"):
            for_ranges(work, 10)
    for_ranges(lambda start, stop: None, 10)


def test_many_callers_and_nested_calls_end():
    set_num_threads(2)
    total, lock = [0], threading.Lock()

    def inner(start, stop):
        with lock:
            total[0] += stop - start

    with ThreadPoolExecutor(4) as callers:
        list(callers.map(lambda _: for_ranges(lambda a, b: for_ranges(inner, 5), 6), range(8)))
    assert total[0] == 8 * 6 * 5


def test_changing_the_number_of_threads_meanwhile():
    expected = normals(1, np.arange(64, dtype=np.uint32), 0, 0, 5000)
    with ThreadPoolExecutor(2) as callers:
        results = [callers.submit(normals, 1, np.arange(64, dtype=np.uint32), 0, 0, 5000) for _ in range(6)]
        for count in (1, 3, 2, 1, 2):
            set_num_threads(count)
    for result in results:
        np.testing.assert_array_equal(result.result(), expected)


def _sum_in_child(queue):
    seen = []
    for_ranges(lambda start, stop: seen.append(stop - start), 10)
    queue.put(sum(seen))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    set_num_threads(2)
    for_ranges(lambda start, stop: None, 10)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_sum_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == 10
    child.join(30)
    assert child.exitcode == 0


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_callers_at_once_leave_the_limits_of_blas_as_they_were():
    images = np.random.default_rng(0).random((40, 1, 24, 24), dtype=np.float32)
    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(3) as callers:
        before = blas_threads()
        assert 2 in before
        with single_blas_thread():
            results = [callers.submit(svd_filter, images, 3, "leading") for _ in range(3)]
            # The limit is the process's: until it is lifted here, nobody else may set and lift it.
            assert not wait(results, timeout=0.3).done
            assert set(blas_threads()) == {1}
        for result in results:
            np.testing.assert_array_equal(result.result(30), results[0].result(30))
        assert blas_threads() == before


def test_a_failure_lifts_the_limit_of_blas():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(OSError, match="inside"), single_blas_thread():
            raise OSError("inside")
        assert blas_threads() == before
        with single_blas_thread():
            assert set(blas_threads()) == {1}


def test_no_threads_is_refused():
    with pytest.raises(ValueError, match="count 0"):
        set_num_threads(0)
