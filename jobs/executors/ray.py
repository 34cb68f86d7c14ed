"""The executor for many workers: Ray actors, one a CPU slot or a GPU, fed by a loop in the driver."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace

from passband.jobs.executors.backlog import Attempt, Backlog
from passband.jobs.executors.base import Outcome, Reply, Retries, Task, outcome
from passband.jobs.executors.ray_pool import Handle, Pool
from passband.jobs.executors.versions import current_versions


class RayExecutor:
    """Run tasks on `num_workers` Ray actors, in the Ray session that `local_ray` or `connect` opened.

    A failed attempt is repeated on another worker where there is one. When a worker dies, or is killed because its
    device failed or it hangs past its deadline, the task at its head is charged an attempt, the one queued behind is
    not; a new worker takes over.

    Parameters
    ----------
    num_workers : int, at least 1
    num_cpus, num_gpus : float
        Of each worker. Libraries with threads of their own are held to `num_cpus`.
    retries : Retries
    deadline_s : float or None
        For one attempt, measured from when it is at the head of its worker.
    setup : callable or None
        Run once in every worker, before any task; it must be importable there.
    start_timeout_s : float
        How long to go on while no worker is up. The time for which other jobs hold the whole cluster is not counted.
    grow_to : int or None
        Start a worker more for every place that a node offers when it joins, up to so many in all.
    check_versions : bool
        Refuse workers whose Python, Passband or libraries are of other versions than the driver's.
    """

    def __init__(
        self,
        num_workers: int,
        *,
        num_cpus: float = 1,
        num_gpus: float = 0,
        retries: Retries | None = None,
        deadline_s: float | None = None,
        setup: Callable[[], None] | None = None,
        start_timeout_s: float = 120.0,
        grow_to: int | None = None,
        check_versions: bool = False,
    ) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers is {num_workers}: at least 1 is needed")
        self.num_workers = num_workers
        self.num_cpus = num_cpus
        self.num_gpus = num_gpus
        self.retries = retries or Retries()
        self.deadline_s = deadline_s
        self.setup = setup
        self.start_timeout_s = start_timeout_s
        self.grow_to = grow_to
        self.check_versions = check_versions

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Yield the outcomes of `tasks` as they come. Closing the iterator kills the workers.

        Raises
        ------
        ExecutorError
            If no worker comes up, one runs other versions, or the cluster is lost.
        """
        backlog = Backlog(tasks)
        if backlog.is_empty():
            return
        pool = Pool(
            self.num_workers,
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            setup=self.setup,
            start_timeout_s=self.start_timeout_s,
            grow_to=self.grow_to,
            driver=current_versions() if self.check_versions else None,
        )
        try:
            yield from self._drive(pool, backlog)
        finally:
            pool.close()

    def _drive(self, pool: Pool, backlog: Backlog) -> Iterator[Outcome]:
        outcomes: list[Outcome] = []
        while True:
            _hand_out(pool, backlog)
            yield from outcomes  # after handing out: the workers have work while the caller sees to these
            if backlog.is_empty() and not any(handle.calls for handle in pool.handles):
                return
            outcomes = list(self._collect(pool, backlog))

    def _collect(self, pool: Pool, backlog: Backlog) -> Iterator[Outcome]:
        """Wait for replies, deaths and deadlines."""
        for handle in pool.wait(self._pause_s(pool, backlog)):
            reply = pool.reply(handle)
            yield self._settle(pool, backlog, handle, reply, ended=reply.ends_worker)
        for handle in self._overdue(pool):
            reply = Reply(cause=f"killed, as it was not done after {self.deadline_s:g} s")
            yield self._settle(pool, backlog, handle, reply, ended=True)

    def _settle(self, pool: Pool, backlog: Backlog, handle: Handle, reply: Reply, *, ended: bool) -> Outcome:
        """Turn the reply to the head of `handle` into an outcome; put back what is to be made again."""
        attempt = handle.pop()
        if ended:
            for uncharged in pool.replace(handle):
                backlog.put(uncharged)
        result = outcome(attempt.task, attempt.number, handle.name or "", reply, self.retries)
        if result.kind == "retried":
            again = replace(attempt, number=attempt.number + 1, avoid=handle.number)
            backlog.put(again, self.retries.pause_s(attempt.number))
        return result

    def _overdue(self, pool: Pool) -> Iterator[Handle]:
        for handle in pool.up:
            late = self.deadline_s is not None and time.monotonic() - handle.since > self.deadline_s
            if handle.calls and late and not pool.is_done(handle):  # the caller may have been slow, not the task
                yield handle

    def _pause_s(self, pool: Pool, backlog: Backlog) -> float:
        """How long nothing need be looked at but replies."""
        pauses = [1.0]
        if (due_s := backlog.next_due_s()) is not None:
            pauses.append(due_s)
        if self.deadline_s is not None:
            ends = [handle.since + self.deadline_s for handle in pool.up if handle.calls]
            pauses += [end - time.monotonic() + 0.01 for end in ends]
        return max(0.0, min(pauses))


def _hand_out(pool: Pool, backlog: Backlog) -> None:
    """Give every idle worker an attempt; then a second one, which hides the latency between driver and worker.

    Not so at the ends of a run, where a second one would wait although another worker is, or soon will be, idle. Nor
    is the second one a task that came back: if it kills its worker at once, the reply before it may be lost with the
    worker, and the wrong task would be charged.
    """
    for handle in pool.up:
        if not handle.calls:
            _submit(handle, backlog.take(handle.number, alone=pool.is_alone(handle)))
    for handle in pool.up:
        if len(handle.calls) == 1 and not pool.expects_more and backlog.holds(len(pool.handles)):
            _submit(handle, backlog.take_fresh())


def _submit(handle: Handle, attempt: Attempt | None) -> None:
    if attempt is not None:
        handle.submit(attempt)
