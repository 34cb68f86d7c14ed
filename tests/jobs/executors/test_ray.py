import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from passband.jobs.executors.base import ExecutorError, Retries
from passband.jobs.executors.memory_deaths import oom_kills
from passband.jobs.executors.ray import RayExecutor
from tests.jobs.executors.contract import ExecutorContract
from tests.jobs.executors.faulty import FaultyTask, invocations, processes

pytestmark = pytest.mark.usefixtures("ray_session")

QUICK = Retries(max_attempts=3, backoff_s=0.01)


class TestRay(ExecutorContract):
    executor = "ray"
    workers = 2


def executor(num_workers: int = 2, **options: Any) -> RayExecutor:
    return RayExecutor(num_workers, **{"retries": QUICK, **options})


def final(outcomes) -> dict[int, tuple[str, int]]:
    return {o.task.index: (o.kind, o.attempts) for o in outcomes if o.kind != "retried"}


def wait_for(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_every_task_is_done_once_by_both_workers(tmp_path: Path):
    outcomes = list(executor().run(FaultyTask(i, tmp_path, seconds=0.3) for i in range(20)))
    assert {o.task.index: o.record for o in outcomes} == {i: i**2 for i in range(20)}
    assert invocations(tmp_path) == dict.fromkeys(range(20), 1)
    by_worker = Counter(o.worker for o in outcomes)
    assert len(by_worker) == 2
    assert min(by_worker.values()) >= 5


def test_failures_of_every_kind_are_retried_elsewhere_and_the_others_go_on(tmp_path: Path, capfd):
    faults = {0: ["raise"], 1: ["die"], 2: ["hang"], 3: ["exit"], 4: ["die", "raise"], 5: ["raise"] * 3, 6: ["refuse"]}
    tasks = [FaultyTask(i, tmp_path, faults.get(i, [])) for i in range(12)]
    outcomes = list(executor(deadline_s=1.0).run(tasks))
    attempts = {0: 2, 1: 2, 2: 2, 3: 2, 4: 3, 5: 3, 6: 1}
    assert invocations(tmp_path) == {i: attempts.get(i, 1) for i in range(12)}
    kinds = {5: "failed", 6: "failed"}
    assert final(outcomes) == {i: (kinds.get(i, "done"), attempts.get(i, 1)) for i in range(12)}
    for index in (0, 1, 2, 3, 4):
        assert len(set(processes(tmp_path, index))) == attempts[index]
    errors = {(o.task.index, o.attempts): o.error for o in outcomes if o.error}
    assert errors[5, 3].startswith("task 5: RuntimeError: told to raise at attempt 3 (attempt 3 of 3, worker ")
    assert errors[6, 1].startswith("task 6: told to refuse (")
    assert "worker process died" in errors[1, 1]
    assert "not done after 1 s" in errors[2, 1]
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


@pytest.mark.parametrize("fault", ["hang", pytest.param("freeze", marks=pytest.mark.slow)])
def test_a_hang_is_killed_at_its_deadline(tmp_path: Path, fault: str):
    began = time.monotonic()
    outcomes = executor(1, deadline_s=1.0).run([FaultyTask(0, tmp_path, [fault])])
    first = next(outcomes)
    assert first.kind == "retried"
    assert 1.0 <= time.monotonic() - began < 20.0
    assert [o.record for o in outcomes] == [0]
    (hung, again) = processes(tmp_path, 0)
    assert hung != again
    wait_for(lambda: not psutil.pid_exists(hung))


@pytest.mark.slow
def test_a_deadline_counts_from_the_head_of_the_queue_and_spares_what_is_done(tmp_path: Path):
    outcomes = []
    for outcome in executor(1, deadline_s=1.0).run([FaultyTask(i, tmp_path, seconds=0.6) for i in range(4)]):
        outcomes.append(outcome)
        time.sleep(1.5 if outcome.task.index == 1 else 0)  # a slow consumer is no hang
    assert final(outcomes) == dict.fromkeys(range(4), ("done", 1))
    assert invocations(tmp_path) == dict.fromkeys(range(4), 1)


@pytest.mark.slow
def test_a_death_charges_only_the_task_at_the_head(tmp_path: Path):
    tasks = [FaultyTask(0, tmp_path, ["die"] * 3)] + [FaultyTask(i, tmp_path) for i in range(1, 6)]
    outcomes = list(executor(1).run(tasks))
    assert final(outcomes) == {0: ("failed", 3)} | dict.fromkeys(range(1, 6), ("done", 1))
    assert invocations(tmp_path) == {0: 3} | dict.fromkeys(range(1, 6), 1)


def test_a_worker_killed_from_outside_costs_one_attempt(tmp_path: Path):
    outcomes = executor().run(FaultyTask(i, tmp_path, seconds=1.0 if i == 1 else 0.01) for i in range(12))
    seen = [next(outcomes)]
    wait_for(lambda: processes(tmp_path, 1))
    os.kill(processes(tmp_path, 1)[0], signal.SIGKILL)
    seen += outcomes
    assert final(seen) == {i: ("done", 2 if i == 1 else 1) for i in range(12)}
    assert invocations(tmp_path) == {i: 2 if i == 1 else 1 for i in range(12)}


def test_a_worker_that_dies_of_memory_is_retried_once_and_it_is_said_what_to_lower(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(
        "passband.jobs.executors.memory_deaths.oom_kills", itertools.count().__next__
    )  # it counts one more
    outcomes = list(executor(1).run([FaultyTask(0, tmp_path, ["die"] * 3), FaultyTask(1, tmp_path)]))
    assert final(outcomes) == {0: ("failed", 2), 1: ("done", 1)}
    assert invocations(tmp_path) == {0: 2, 1: 1}
    told = {outcome.error.partition(" (attempt")[0] for outcome in outcomes if outcome.error}
    assert told == {
        "task 0: the worker was killed, most likely by the kernel as memory ran out; "
        "fewer workers (--workers) or smaller batches (compute.batch_size) need less"
    }


def test_the_kernels_count_is_read_where_it_keeps_one(tmp_path: Path, monkeypatch):
    counts = tmp_path / "vmstat"
    monkeypatch.setattr("passband.jobs.executors.memory_deaths.COUNTS", counts)
    assert oom_kills() == 0
    counts.write_text("nr_free_pages 8\noom_kill 12\nnuma_hit 1\n")
    assert oom_kills() == 12


@pytest.mark.slow
def test_all_workers_dying_again_and_again_does_not_block(tmp_path: Path):
    outcomes = list(executor().run(FaultyTask(i, tmp_path, ["die"] * 2) for i in range(4)))
    assert final(outcomes) == dict.fromkeys(range(4), ("done", 3))


def test_no_tasks_start_no_workers():
    assert list(executor().run([])) == []


def test_more_workers_than_tasks_and_than_slots(tmp_path: Path):
    outcomes = list(executor(5).run([FaultyTask(0, tmp_path, ["raise"])]))
    assert final(outcomes) == {0: ("done", 2)}


def test_tasks_are_consumed_lazily_and_their_error_passes(tmp_path: Path):
    done = []
    taken = []

    def tasks() -> Iterator[FaultyTask]:
        for index in range(30):
            if index == 20:
                raise OSError("the list of tasks broke off")
            taken.append(len(done))
            yield FaultyTask(index, tmp_path)

    with pytest.raises(OSError, match="broke off"):
        done.extend(executor().run(tasks()))
    assert len(taken) == 20
    ahead = [index + 1 - finished for index, finished in enumerate(taken)]
    # Two in flight a worker, as many looked ahead as there are workers, and one outcome each that the caller sees only
    # after new work was handed out.
    assert max(ahead) <= 2 * 2 + 2 + 2


def test_closing_kills_the_workers(tmp_path: Path):
    outcomes = executor().run([FaultyTask(0, tmp_path)] + [FaultyTask(i, tmp_path, ["hang"]) for i in (1, 2, 3)])
    next(outcomes)
    wait_for(lambda: processes(tmp_path, 1))
    outcomes.close()
    wait_for(lambda: not any(psutil.pid_exists(pid) for i in range(4) for pid in processes(tmp_path, i)), 3.0)


@dataclass(frozen=True)
class Asking:
    index: int

    @property
    def name(self) -> str:
        return f"question {self.index}"

    def run(self, attempt: int) -> Any:
        if self.index == 9:
            return (line for line in ())  # cannot be pickled
        import numba

        time.sleep(0.3)
        return os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["OMP_NUM_THREADS"], numba.config.NUMBA_NUM_THREADS


def test_each_gpu_worker_sees_a_gpu_of_its_own_and_its_share_of_threads():
    records = [o.record for o in executor(num_gpus=1).run(Asking(i) for i in range(4))]
    assert {record[0] for record in records} == {"0", "1"}
    assert {record[1:] for record in records} == {("1", 1)}


def test_a_record_that_cannot_travel_fails_its_task_by_name():
    (outcome,) = executor(1, retries=Retries(1)).run([Asking(9)])
    assert outcome.kind == "failed"
    assert "question 9: " in outcome.error
    assert "pickle" in outcome.error


def test_impossible_workers_are_refused_at_once(tmp_path: Path):
    with pytest.raises(ExecutorError, match="needs {'CPU': 1, 'GPU': 3}"):
        list(executor(num_gpus=3).run([FaultyTask(0, tmp_path)]))


def broken_setup() -> None:
    raise RuntimeError("no such backend")


def chdir_setup() -> None:
    os.environ["PASSBAND_TEST_SETUP"] = "done"


@dataclass(frozen=True)
class ReadsSetup:
    name: str = "reads the set-up"

    def run(self, attempt: int) -> str:
        return os.environ["PASSBAND_TEST_SETUP"]


def test_workers_are_set_up_and_a_set_up_that_fails_is_named(tmp_path: Path):
    assert [o.record for o in executor(1, setup=chdir_setup).run([ReadsSetup()])] == ["done"]
    with pytest.raises(ExecutorError, match="no worker starts: RuntimeError: no such backend"):
        list(executor(setup=broken_setup).run([FaultyTask(0, tmp_path)]))


def test_zero_workers_are_refused():
    with pytest.raises(ValueError, match="num_workers is 0"):
        RayExecutor(0)
