"""The loop that all kinds of jobs share, and its books."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from passband.jobs.executors.base import Executor, Retries, WriteFailure
from passband.jobs.executors.choice import choose, open_executor
from passband.jobs.executors.drive import Ledger, drive
from passband.pipeline.errors import OutputError, PassbandError
from tests.jobs.executors.faulty import FaultyTask, invocations


@dataclass
class Squares(Ledger[int, int]):
    def place_of(self, task: FaultyTask) -> int:
        return task.index

    def raise_failed(self) -> None:
        if self.failed:
            raise PassbandError(f"failed: {sorted(self.failed)}")


def opening(tasks: int) -> Executor:
    return open_executor(choose("inline", None, None), Retries(2, 0.0), 60.0, tasks, bool)


def run(ledger: Squares, log: Path, faults: dict[int, list[str]], checkpoint=bool) -> list[str]:
    told: list[str] = []
    tasks: Iterator[FaultyTask] = (FaultyTask(i, log, faults.get(i, ())) for i in ledger.pending())
    drive(opening(len(ledger.places)), tasks, ledger, lambda outcome: told.append(outcome.kind), checkpoint)
    return told


def test_every_outcome_is_entered_before_it_is_told(tmp_path: Path):
    ledger = Squares(places=range(5), budget=1, done={1: 1})
    told = run(ledger, tmp_path, {2: ["raise"], 3: ["refuse"]})
    assert told == ["done", "retried", "done", "failed", "done"]
    assert ledger.done == {0: 0, 1: 1, 2: 4, 4: 16}
    assert list(ledger.failed) == [3]
    assert (ledger.retried, list(ledger.pending())) == (1, [])
    with pytest.raises(PassbandError, match=r"failed: \[3\]"):
        ledger.raise_failed()
    assert 1 not in invocations(tmp_path)


def test_no_further_part_is_begun_once_the_budget_is_spent(tmp_path: Path):
    ledger = Squares(places=range(6), budget=1)
    with pytest.raises(PassbandError, match=r"failed: \[1, 2\]"):
        run(ledger, tmp_path, {1: ["refuse"], 2: ["refuse"]})
    assert list(ledger.pending()) == [3, 4, 5]
    assert set(invocations(tmp_path)) == {0, 1, 2}


def test_what_a_checkpoint_raises_passes_after_the_outcome_is_entered(tmp_path: Path):
    def stop() -> None:
        raise SystemExit(130)

    ledger = Squares(places=range(3), budget=0)
    with pytest.raises(SystemExit):
        run(ledger, tmp_path, {}, stop)
    assert ledger.done == {0: 0}


class Unwritable(FaultyTask):
    def run(self, attempt: int) -> WriteFailure:
        return WriteFailure("cannot write to there: no space left")


def test_an_output_that_cannot_be_written_ends_the_run(tmp_path: Path):
    ledger = Squares(places=range(2), budget=5)
    with pytest.raises(OutputError, match="^cannot write to there: no space left$"):
        drive(opening(2), [Unwritable(0, tmp_path), FaultyTask(1, tmp_path)], ledger, bool, bool)
    assert (ledger.done, ledger.failed) == ({}, {})
    assert invocations(tmp_path) == {}
