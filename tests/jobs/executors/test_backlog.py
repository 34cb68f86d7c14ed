import time

from passband.jobs.executors.backlog import Attempt, Backlog


class Named:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, attempt: int) -> None:
        raise AssertionError("not run here")


A, B, C = (Named(name) for name in "abc")


def test_fresh_tasks_come_in_order_and_lazily():
    taken = []
    backlog = Backlog(taken.append(task) or task for task in (A, B, C))
    assert taken == []
    assert backlog.take(0, alone=False) == Attempt(A)
    assert taken == [A]
    assert backlog.holds(1)
    assert taken == [A, B]
    assert not backlog.holds(3)
    assert [backlog.take(0, alone=False).task for _ in range(2)] == [B, C]
    assert backlog.take(0, alone=False) is None
    assert backlog.is_empty()


def test_what_comes_back_goes_first_but_not_to_the_worker_it_avoids():
    backlog = Backlog([B])
    again = Attempt(A, 2, avoid=0)
    backlog.put(again)
    assert backlog.take(0, alone=False) == Attempt(B)
    assert backlog.take(0, alone=False) is None
    assert not backlog.is_empty()
    assert backlog.take(1, alone=False) == again
    assert backlog.is_empty()


def test_a_worker_that_is_alone_gets_it_all_the_same():
    backlog = Backlog([])
    backlog.put(Attempt(A, 2, avoid=0))
    assert backlog.take(0, alone=True) == Attempt(A, 2, avoid=0)


def test_attempts_rest_as_long_as_they_are_told():
    backlog = Backlog([])
    backlog.put(Attempt(A, 2), pause_s=0.2)
    backlog.put(Attempt(B, 2), pause_s=0.1)
    assert backlog.take(0, alone=True) is None
    assert 0 < backlog.next_due_s() <= 0.1
    time.sleep(0.11)
    assert backlog.take(0, alone=True) == Attempt(B, 2)
    assert backlog.take(0, alone=True) is None
    time.sleep(backlog.next_due_s() + 0.01)
    assert backlog.next_due_s() is None
    assert backlog.take(0, alone=True) == Attempt(A, 2)
