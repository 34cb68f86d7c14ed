"""An executor from outside the package: one file, one line in `EXECUTORS`, and the contract over it."""

import importlib
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import yaml

from passband.jobs.common.jobfile import JobError
from passband.jobs.executors.backlog import Attempt
from passband.jobs.executors.base import ExecutorError, Reply, Task, attempt, refuse_end, start
from passband.jobs.executors.choice import EXECUTORS
from passband.jobs.executors.kind import Choice, Kind, Terms
from passband.jobs.executors.scheduling import Handle, schedule
from passband.jobs.generation.run import generate
from tests.jobs.executors.contract import ExecutorContract
from tests.jobs.generation.made import small_job, stored_bytes


@dataclass(kw_only=True)
class Player(Handle):
    """Makes a call when it is looked at."""

    def call(self, task: Task, number: int) -> Callable[[], Reply]:
        return partial(attempt, task, number)


class Round:
    """Workers that take turns in this thread, the last one first."""

    depth = 2

    def __init__(self, terms: Terms, workers: int) -> None:
        setup = partial(start, terms.setup)
        self.handles = [Player(number=number, started=setup) for number in range(workers)]
        self._set_up = False

    def wait(self, timeout_s: float) -> list[Player]:
        for handle in self.handles:
            if not handle.is_up:
                reply = handle.started() if not self._set_up else Reply()
                self._set_up = True
                if reply.cause is not None:
                    raise ExecutorError(f"no worker starts: {reply.cause}")
                handle.came_up(f"here:{handle.number}")
        busy = [handle for handle in self.handles if handle.calls]
        if not busy:
            time.sleep(timeout_s)
        return busy[-1:]

    def reply(self, handle: Player) -> Reply:
        reply: Reply = handle.current()
        refuse_end(handle.calls[0][1].task, reply)
        return reply

    def is_done(self, handle: Player) -> bool:
        return True

    def replace(self, handle: Player) -> list[Attempt]:
        raise AssertionError("none is lost")

    def close(self) -> None:
        self.handles.clear()


@dataclass
class Toy:
    choice: Choice
    terms: Terms

    def run(self, tasks: Any) -> Any:
        return schedule(lambda: Round(self.terms, self.choice.workers), tasks, self.terms.retries)


TOY = Kind("turns in one thread", "toy", lambda choice, terms: nullcontext(Toy(choice, terms)), True, in_process=True)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(EXECUTORS, "toy", TOY)


class TestToy(ExecutorContract):
    executor = "toy"
    workers = 3


def test_it_makes_a_dataset_by_the_command_that_is_read_without_it(tmp_path, passband, monkeypatch):
    generate(small_job(tmp_path / "inline"))
    job = tmp_path / "job.yaml"
    job.write_text(yaml.safe_dump(small_job(tmp_path / "toy", compute={"executor": "toy", "workers": 2}).resolved()))
    assert passband("plan", job)[1].count("with 2 toys") == 1
    assert passband("run", job)[0] == 0
    assert stored_bytes(tmp_path / "toy") == stored_bytes(tmp_path / "inline")
    monkeypatch.delitem(EXECUTORS, "toy")
    assert passband("verify", tmp_path / "toy")[0] == 0
    assert "allowed: auto, inline, threads, ray" in passband("run", job)[2]


def test_errors_name_it_with_the_others(tmp_path):
    for given, told in [
        ({"executor": "toi"}, "got 'toi'; allowed: auto, inline, threads, ray, toy (did you mean toy?)"),
        ({"executor": 3}, "got 3; allowed: auto, inline, threads, ray, toy"),
        (
            {"executor": "inline", "workers": 2},
            "executor inline has one worker and no address; use threads or ray or toy",
        ),
        ({"executor": "toy", "address": "a:1"}, "executor toy has no address; use ray"),
    ]:
        with pytest.raises(JobError) as error:
            small_job(tmp_path, compute=given)
        assert told in str(error.value)


@pytest.mark.parametrize("name", EXECUTORS)
def test_every_executor_has_tests_that_inherit_the_contract(name):
    found = vars(importlib.import_module(f"tests.jobs.executors.test_{name}")).values()
    own = [one for one in found if isinstance(one, type) and issubclass(one, ExecutorContract)]
    assert name in [getattr(one, "executor", None) for one in own]
