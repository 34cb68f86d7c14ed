"""What every executor keeps: a class of tests that those of each executor inherit.

```python
class TestMine(ExecutorContract):
    executor = "mine"
    workers = 2
```
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from passband.jobs.executors.base import ExecutorError, Outcome, Retries, Task
from passband.jobs.executors.choice import EXECUTORS, choose, open_executor
from tests.jobs.executors.faulty import FaultyTask, invocations, processes

QUICK = Retries(max_attempts=3, backoff_s=0.01)


@dataclass(frozen=True)
class Marked:
    """Tells whether its worker was set up before by `mark`."""

    log: Path
    name: str = "marked"

    def run(self, attempt: int) -> bool:
        time.sleep(0.05)
        return mark_of(self.log).exists()


def mark_of(log: Path) -> Path:
    return log / f"{os.getpid()}.{threading.get_ident()}"


def mark(log: Path) -> None:
    mark_of(log).touch(exist_ok=False)


def broken_setup() -> None:
    raise RuntimeError("no such backend")


class UnpicklableError(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


@dataclass(frozen=True)
class Unpicklable:
    """Raises what cannot travel."""

    name: str = "unpicklable"

    def run(self, attempt: int) -> None:
        raise UnpicklableError("a lock is in the way")


class ExecutorContract:
    """Tests of one executor.

    Attributes
    ----------
    executor : name in `EXECUTORS`
    workers : to ask for; None leaves the number open
    """

    executor: str
    workers: int | None = None

    def outcomes(
        self,
        tasks: Iterable[Task],
        *,
        retries: Retries = QUICK,
        deadline_s: float = 60.0,
        num_tasks: int = 12,
        setup: Any = bool,
    ) -> Iterator[Outcome]:
        """Run tasks as a job does; closing the iterator closes what it runs on."""
        choice = choose(self.executor, self.workers, None)
        with open_executor(choice, retries, deadline_s, num_tasks, setup) as executor:
            yield from executor.run(tasks)

    def test_each_task_ends_once_after_the_attempts_that_it_is_worth(self, tmp_path: Path) -> None:
        faults = {1: ["raise"], 2: ["raise"] * 3, 3: ["refuse"], 4: ["raise", "refuse"], 5: ["raise", "raise"]}
        found = list(self.outcomes(FaultyTask(i, tmp_path, faults.get(i, ())) for i in range(8)))
        attempts = {0: 1, 1: 2, 2: 3, 3: 1, 4: 2, 5: 3, 6: 1, 7: 1}
        assert invocations(tmp_path) == attempts
        for index, most in attempts.items():
            own = [outcome for outcome in found if outcome.task.index == index]
            assert [outcome.attempts for outcome in own] == list(range(1, most + 1))
            last = "failed" if index in (2, 3, 4) else "done"
            assert [outcome.kind for outcome in own] == ["retried"] * (most - 1) + [last]
            assert own[-1].record == (index**2 if last == "done" else None)

    def test_a_failure_is_told_by_task_cause_attempt_and_worker(self, tmp_path: Path) -> None:
        found = list(self.outcomes([FaultyTask(0, tmp_path, ["raise"] * 2)], retries=Retries(2, 0.01)))
        assert [outcome.kind for outcome in found] == ["retried", "failed"]
        last = found[-1]
        told = "task 0: RuntimeError: told to raise at attempt 2 (attempt 2 of 2, worker "
        assert last.error == f"{told}{last.worker})"
        assert last.worker.count(":") == 1
        assert "faulty.py" in last.details

    def test_an_error_that_cannot_be_pickled_is_told_in_words(self) -> None:
        (found,) = self.outcomes([Unpicklable()], retries=Retries(1))
        assert found.error.startswith("unpicklable: UnpicklableError: a lock is in the way (attempt 1 of 1")

    def test_no_tasks_give_no_outcomes(self) -> None:
        assert list(self.outcomes([], setup=broken_setup)) == []

    def test_tasks_are_taken_as_they_are_needed_and_their_error_passes(self, tmp_path: Path) -> None:
        done: list[Outcome] = []
        ahead: list[int] = []

        def tasks() -> Iterator[FaultyTask]:
            for index in range(30):
                ahead.append(index + 1 - len(done))
                yield FaultyTask(index, tmp_path)
            raise OSError("the list of tasks broke off")

        with pytest.raises(OSError, match="broke off"):
            done.extend(self.outcomes(tasks()))
        assert len(ahead) == 30
        # Two in flight a worker, as many looked ahead as there are workers, and one outcome each that the caller sees
        # only after new work was handed out.
        assert max(ahead) <= 4 * (self.workers or 1)

    def test_closing_begins_no_further_task_and_leaves_nothing(self, tmp_path: Path) -> None:
        before = threading.enumerate()
        outcomes = self.outcomes((FaultyTask(i, tmp_path, seconds=0.05) for i in range(100)), num_tasks=100)
        next(outcomes)
        outcomes.close()
        self.check_nothing_left(tmp_path, before)
        begun = invocations(tmp_path)
        assert len(begun) < 20
        time.sleep(0.2)
        assert invocations(tmp_path) == begun

    def test_nothing_is_left_at_the_end(self, tmp_path: Path) -> None:
        before = threading.enumerate()
        assert len(list(self.outcomes(FaultyTask(i, tmp_path) for i in range(4)))) == 4
        self.check_nothing_left(tmp_path, before)

    def check_nothing_left(self, log: Path, before: list[threading.Thread]) -> None:
        """Hold that workers in other processes end soon, and that threads of this one have ended."""
        others = {pid for index in invocations(log) for pid in processes(log, index)} - {os.getpid()}
        end = time.monotonic() + 10.0
        while any(psutil.pid_exists(pid) for pid in others):
            assert time.monotonic() < end
            time.sleep(0.02)
        if EXECUTORS[self.executor].in_process:
            assert set(threading.enumerate()) <= set(before)

    def test_every_worker_is_set_up_once_before_its_first_task(self, tmp_path: Path) -> None:
        found = list(self.outcomes((Marked(tmp_path) for _ in range(8)), setup=partial(mark, tmp_path)))
        assert [outcome.record for outcome in found] == [True] * 8
        assert 1 <= len(list(tmp_path.iterdir())) <= (self.workers or 1)

    def test_a_set_up_that_fails_is_told_before_any_task(self, tmp_path: Path) -> None:
        with pytest.raises(ExecutorError, match="^no worker starts: RuntimeError: no such backend$"):
            list(self.outcomes([FaultyTask(0, tmp_path)], setup=broken_setup))
        assert invocations(tmp_path) == {}

    def test_a_deadline_is_held_where_workers_can_be_killed_and_else_there_is_none(self, tmp_path: Path) -> None:
        kills = EXECUTORS[self.executor].kills
        task = FaultyTask(0, tmp_path, ["hang"] if kills else [], seconds=0.0 if kills else 0.5)
        found = list(self.outcomes([task], deadline_s=1.0 if kills else 0.01))
        assert [outcome.kind for outcome in found] == (["retried", "done"] if kills else ["done"])
