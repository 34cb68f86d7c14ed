"""Workers that are threads: they share a process, and end with the run."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from passband.jobs.executors.base import DeviceFailure, ExecutorError, Retries
from passband.jobs.executors.choice import choose
from passband.jobs.executors.here import check_stopped, worker_name
from passband.jobs.executors.threads import ThreadExecutor
from passband.jobs.generation.run import generate
from passband.pipeline.errors import PassbandError
from tests.jobs.executors.contract import QUICK, ExecutorContract
from tests.jobs.executors.faulty import FaultyTask
from tests.jobs.generation.made import small_job, stored_bytes


class TestThreads(ExecutorContract):
    executor = "threads"
    workers = 3


@dataclass
class Meeting:
    """Is done when as many as `barrier` waits for are at it together."""

    barrier: threading.Barrier
    name: str = "meeting"

    def run(self, attempt: int) -> str:
        self.barrier.wait(30)
        return worker_name()


def test_workers_work_at_the_same_time_under_names_of_their_own():
    barrier = threading.Barrier(3)
    found = list(ThreadExecutor(3).run(Meeting(barrier) for _ in range(6)))
    assert {outcome.record for outcome in found} == {f"{worker_name()}/{number}" for number in range(3)}
    assert all(outcome.worker == outcome.record for outcome in found)


@dataclass
class Endless:
    """Ends only when it is asked to."""

    begun: threading.Event
    name: str = "endless"

    def run(self, attempt: int) -> None:
        self.begun.set()
        while True:
            check_stopped()
            time.sleep(0.01)


@dataclass
class Waiting:
    """Is done once another task has begun."""

    begun: threading.Event
    name: str = "waiting"

    def run(self, attempt: int) -> None:
        assert self.begun.wait(30)


def test_a_task_that_asks_ends_early_where_the_run_is_closed():
    begun = threading.Event()
    outcomes = ThreadExecutor(2).run([Endless(begun), Waiting(begun)])
    assert next(outcomes).task.name == "waiting"
    began = time.monotonic()
    outcomes.close()
    assert time.monotonic() - began < 20


def test_nothing_is_stopped_elsewhere():
    check_stopped()


def test_a_failure_is_tried_again_on_another_thread(tmp_path: Path):
    found = list(ThreadExecutor(2, retries=QUICK).run([FaultyTask(0, tmp_path, ["raise"])]))
    assert [outcome.kind for outcome in found] == ["retried", "done"]
    assert found[0].worker != found[1].worker


class Interrupted(FaultyTask):
    def run(self, attempt: int) -> int:
        raise KeyboardInterrupt


def test_keyboard_interrupt_passes_and_leaves_no_thread(tmp_path: Path):
    before = threading.enumerate()
    with pytest.raises(KeyboardInterrupt):
        list(ThreadExecutor(2).run([Interrupted(0, tmp_path), *(FaultyTask(i, tmp_path) for i in range(1, 9))]))
    assert set(threading.enumerate()) <= set(before)


class Lost(FaultyTask):
    def run(self, attempt: int) -> int:
        raise DeviceFailure("the device failed: told to")


def test_a_lost_device_ends_the_run_in_a_sentence(tmp_path: Path):
    with pytest.raises(ExecutorError, match=r"task 0: the device failed: told to; run it again \(--executor ray"):
        list(ThreadExecutor(2, retries=Retries(3)).run([Lost(0, tmp_path)]))


def test_zero_workers_are_refused():
    with pytest.raises(ValueError, match="num_workers is 0"):
        ThreadExecutor(0)


def test_gpus_are_refused():
    with pytest.raises(PassbandError, match="executor threads works on CPUs alone: use backend cpu"):
        choose("threads", 2, None, num_gpus=1)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("inline")
    generate(small_job(out))
    return stored_bytes(out)


@pytest.mark.parametrize(("workers", "threads", "batch_size"), [(1, 1, 256), (4, 1, 7), (3, 2, 256)])
def test_threads_change_no_byte(tmp_path, expected, workers, threads, batch_size):
    compute = {"executor": "threads", "workers": workers, "threads": threads, "batch_size": batch_size}
    generate(small_job(tmp_path, compute=compute), faults={1: ("raise",), 5: ("raise", "raise")})
    assert stored_bytes(tmp_path) == expected


def test_what_a_checkpoint_raises_ends_the_run_and_the_next_finishes_it(tmp_path, expected):
    before, done = threading.enumerate(), []

    def stop_after_two() -> None:
        done.append(1)
        if len(done) == 2:
            raise SystemExit(130)

    job = small_job(tmp_path, compute={"executor": "threads", "workers": 2})
    with pytest.raises(SystemExit):
        generate(job, checkpoint=stop_after_two)
    assert not [thread for thread in threading.enumerate() if thread not in before and "kernels" not in thread.name]
    assert 2 <= len(list(tmp_path.glob("records/*.json"))) < 8
    assert not list(tmp_path.rglob(".passband-*"))
    generate(job)
    assert stored_bytes(tmp_path) == expected
