import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from passband.jobs.executors.base import Retries
from passband.jobs.executors.inline import InlineExecutor
from tests.jobs.executors.contract import ExecutorContract
from tests.jobs.executors.faulty import FaultyTask, invocations

QUICK = Retries(max_attempts=3, backoff_s=0.0)


class TestInline(ExecutorContract):
    executor = "inline"


def kinds(outcomes):
    return [(outcome.task.index, outcome.kind, outcome.attempts) for outcome in outcomes]


def test_every_task_gives_its_record_in_order(tmp_path: Path):
    outcomes = list(InlineExecutor().run(FaultyTask(i, tmp_path) for i in range(4)))
    assert [outcome.record for outcome in outcomes] == [0, 1, 4, 9]
    assert {outcome.worker for outcome in outcomes} == {f"{socket.gethostname()}:{os.getpid()}"}
    assert invocations(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 1}


def test_no_tasks_give_no_outcomes():
    assert list(InlineExecutor().run([])) == []


def test_failures_are_retried_and_the_others_go_on(tmp_path: Path):
    faults = {0: ["raise"], 1: ["raise", "raise", "raise"], 2: [], 3: ["refuse"]}
    outcomes = list(InlineExecutor(retries=QUICK).run(FaultyTask(i, tmp_path, f) for i, f in faults.items()))
    assert kinds(outcomes) == [
        (0, "retried", 1),
        (0, "done", 2),
        (1, "retried", 1),
        (1, "retried", 2),
        (1, "failed", 3),
        (2, "done", 1),
        (3, "failed", 1),
    ]
    assert invocations(tmp_path) == {0: 2, 1: 3, 2: 1, 3: 1}
    assert "task 1: RuntimeError: told to raise at attempt 3 (attempt 3 of 3" in outcomes[4].error
    assert "faulty.py" in outcomes[4].details
    assert outcomes[6].error.startswith("task 3: told to refuse (")


def test_tasks_are_consumed_lazily(tmp_path: Path):
    taken = []

    def tasks() -> Iterator[FaultyTask]:
        for index in range(3):
            taken.append(index)
            yield FaultyTask(index, tmp_path)

    outcomes = InlineExecutor().run(tasks())
    next(outcomes)
    outcomes.close()
    assert taken == [0]


def test_keyboard_interrupt_passes(tmp_path: Path):
    class Interrupted(FaultyTask):
        def run(self, attempt: int) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(InlineExecutor().run([Interrupted(0, tmp_path)]))


def test_pauses_double_up_to_the_maximum():
    retries = Retries(backoff_s=0.5, max_backoff_s=3.0)
    assert [retries.pause_s(n) for n in (1, 2, 3, 4, 5000)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_zero_attempts_are_refused():
    with pytest.raises(ValueError, match="max_attempts is 0"):
        Retries(max_attempts=0)
