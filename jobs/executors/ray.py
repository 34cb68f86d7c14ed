"""The executor for many workers: Ray actors, one a CPU slot or a GPU. What is heavy is imported when it is opened."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from passband.jobs.executors.base import Executor, Outcome, Retries, Task
from passband.jobs.executors.kind import Choice, Kind, Terms
from passband.jobs.executors.scheduling import schedule

if TYPE_CHECKING:
    from passband.jobs.executors.ray_pool import RayPool


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
        yield from schedule(self._open_pool, tasks, self.retries, self.deadline_s)

    def _open_pool(self) -> "RayPool":
        from passband.jobs.executors.ray_pool import RayPool
        from passband.jobs.executors.versions import current_versions

        return RayPool(
            self.num_workers,
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            setup=self.setup,
            start_timeout_s=self.start_timeout_s,
            grow_to=self.grow_to,
            driver=current_versions() if self.check_versions else None,
        )


@contextmanager
def _open(choice: Choice, terms: Terms) -> Iterator[Executor]:
    from passband.jobs.executors.ray_places import cluster_places

    with _session(choice, max(1, min(choice.workers, terms.num_tasks))):
        wanted = cluster_places(choice.threads, choice.gpus) if choice.whole_cluster else choice.workers
        yield RayExecutor(
            max(1, min(wanted, terms.num_tasks)),
            num_cpus=choice.threads,
            num_gpus=choice.gpus,
            retries=terms.retries,
            deadline_s=terms.deadline_s,
            setup=terms.setup,
            grow_to=terms.num_tasks if choice.whole_cluster else None,
            check_versions=choice.address is not None,
        )


def _session(choice: Choice, workers: int) -> AbstractContextManager[None]:
    from passband.jobs.executors.ray_session import connect, is_connected, local_ray

    if is_connected():
        return nullcontext()  # opened by the caller, who also ends it
    if choice.address is not None:
        return connect(choice.address)
    return local_ray(workers * choice.threads, num_gpus=workers * choice.gpus)


RAY = Kind(
    "worker processes, here or on a Ray cluster",
    "ray worker",
    _open,
    has_workers=True,
    takes_address=True,
    gives_gpus=True,
    kills=True,
)
