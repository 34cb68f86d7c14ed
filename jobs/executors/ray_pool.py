"""The near end of the `ray` executor: the actors as the driver sees them, started, killed and replaced.

Actors have ``max_restarts=0`` and a dead one is replaced by a new one. Ray's own restart (``max_restarts=-1``) comes
to the same, but holds back the news of a death for 1.5 to 2 seconds (7 for a stopped process), where this takes
milliseconds, and leaves open on which side of the restart a queued call runs.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from passband.jobs.executors.backlog import Attempt
from passband.jobs.executors.base import AGAIN, ExecutorError, Reply, Task
from passband.jobs.executors.memory_deaths import MemoryDeaths
from passband.jobs.executors.ray_places import as_ray_says, fits, has_room, nodes_up, places
from passband.jobs.executors.ray_session import answers
from passband.jobs.executors.ray_worker import Worker
from passband.jobs.executors.scheduling import Handle

logger = logging.getLogger(__name__)

_DIED = "the worker process died while it ran this (killed, crashed, or out of memory)"
_MAX_START_FAILURES = 3
_CHECK_EVERY_S = 1.0
_TELL_WAITING_S = 20.0
_LOST_AFTER_S = 15.0  # long enough for a fault-tolerant head to come back; Ray ends the driver itself after 60


@dataclass(kw_only=True)
class RayHandle(Handle):
    """One actor; `placed` is the call that tells that the cluster has given it its place."""

    actor: Any
    placed: Any

    def call(self, task: Task, number: int) -> Any:
        """Return the reference of the reply."""
        return self.actor.run.remote(task, number)


class RayPool:
    """Actors of one run: a `Pool`.

    Parameters
    ----------
    num_workers : int
    num_cpus, num_gpus : float
        Of each worker.
    setup : callable or None
        Run once in every worker.
    start_timeout_s : float
        How long to wait while no worker at all is up, though there is a place for one.
    grow_to : int or None
        Workers in all, of which one more is started for every place on a node that joins.
    driver : library -> version, or None
        What the workers must run.
    """

    depth = 2

    def __init__(
        self,
        num_workers: int,
        *,
        num_cpus: float,
        num_gpus: float,
        setup: Callable[[], None] | None,
        start_timeout_s: float,
        grow_to: int | None,
        driver: Mapping[str, str] | None,
    ) -> None:
        import ray

        if not ray.is_initialized():
            raise ExecutorError("no Ray session: enter local_ray() or connect() first")
        self._ray = ray
        self._resources = {"num_cpus": num_cpus, "num_gpus": num_gpus}
        self._actor_class = ray.remote(Worker).options(max_restarts=0, max_task_retries=0, **self._resources)
        self._setup = setup
        self._start_timeout_s = start_timeout_s
        self._grow_to = grow_to
        self._driver = driver
        self._told_waiting = False
        self._memory_deaths = MemoryDeaths()
        self._began = time.monotonic()
        self._count = 0
        self._start_failures = 0
        self._checked = self._answered = self._last_up = time.monotonic()
        self.handles: list[RayHandle] = []
        self._refuse_impossible()
        self._places = places(self._ray, self._resources)
        for _ in range(num_workers):
            self._spawn()

    @property
    def _any_up(self) -> bool:
        return any(handle.is_up for handle in self.handles)

    def is_done(self, handle: RayHandle) -> bool:
        """Whether the head of `handle` is done, or died."""
        return bool(self._ray.wait([handle.current], timeout=0)[0])

    def _refuse_impossible(self) -> None:
        nodes = nodes_up(self._ray)
        if not any(fits(node, self._resources) for node in nodes):
            asked = as_ray_says(self._resources)
            has = [{name: node.get(name, 0) for name in asked} for node in nodes]
            raise ExecutorError(f"no node of the Ray cluster can hold a worker: it needs {asked}, the nodes have {has}")

    def _spawn(self) -> None:
        actor = self._actor_class.remote(max(1, int(self._resources["num_cpus"])))
        placed, started = actor.ping.remote(), actor.start.remote(self._setup, self._driver)
        self.handles.append(RayHandle(number=self._count, actor=actor, placed=placed, started=started))
        self._count += 1

    def replace(self, handle: RayHandle) -> list[Attempt]:
        """Kill `handle`, start another worker, and return the attempts that it still had, the head first."""
        self.handles.remove(handle)
        self._ray.kill(handle.actor, no_restart=True)
        self._spawn()
        return [attempt for _, attempt in handle.calls]

    def wait(self, timeout_s: float) -> list[RayHandle]:
        """Return workers whose head is done, or that died; see to those that come up. Waits no longer than asked."""
        references = [handle.current for handle in self.handles if handle.current is not None]
        if not references:
            time.sleep(timeout_s)
            return []
        ready = set(self._ray.wait(references, num_returns=1, timeout=min(timeout_s, _CHECK_EVERY_S))[0])
        ready.update(self._ray.wait(references, num_returns=len(references), timeout=0)[0])
        done = [handle for handle in self.handles if handle.current in ready]
        for handle in done:
            if not handle.is_up:
                self._came_up(handle)
        self._check_alive()
        return [handle for handle in done if handle.calls]

    def reply(self, handle: RayHandle) -> Reply:
        """Return what the head of `handle` replied, or how the worker died instead."""
        return self._get(handle.current, _DIED)

    def _get(self, reference: Any, died: str) -> Reply:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # outside the task: it, or its record, does not pickle
            cause = " ".join(str(error.cause).split())
            return Reply(cause=f"{type(error.cause).__name__}: {cause}", details=str(error))
        except self._ray.exceptions.RayError as error:
            logger.info("worker lost: %s", error)
            memory = self._memory_deaths.cause(error, self._ray.exceptions)
            return Reply(cause=memory or died, ends_worker=True, most_attempts=2 if memory else None)

    def _came_up(self, handle: RayHandle) -> None:
        reply = self._get(handle.started, "its process died")
        if reply.cause is None:
            handle.came_up(reply.record)
            self._start_failures = 0
            return
        if reply.permanent:
            raise ExecutorError(reply.cause)
        self._start_failures += 1
        logger.info("a worker did not start: %s", reply.cause)
        if self._start_failures < _MAX_START_FAILURES:
            self.replace(handle)
            return
        self.handles.remove(handle)
        self._ray.kill(handle.actor, no_restart=True)
        if not self._any_up:
            self._refuse_without_nodes()
            raise ExecutorError(f"no worker starts: {reply.cause}{f'; {AGAIN}' if reply.ends_worker else ''}")

    def _check_alive(self) -> None:
        """Raise if nothing can come any more. GCS is asked by a bare connection: a call to a dead one would hang."""
        now = time.monotonic()
        if now - self._checked < _CHECK_EVERY_S:
            return
        self._checked = now
        address = self._ray.get_runtime_context().gcs_address
        if answers(address):
            self._answered = now
        elif now - self._answered < _LOST_AFTER_S:
            return
        else:
            self.handles.clear()  # there is nothing to kill them with
            raise ExecutorError(f"the Ray cluster at {address} is gone; {AGAIN}")
        self._grow()
        if self._any_up:
            self._last_up = now
            return
        self._refuse_without_nodes()
        if self._waits_its_turn():
            self._last_up = now
        elif now - self._last_up > self._start_timeout_s:
            raise ExecutorError(f"no worker came up within {self._start_timeout_s:g} s: is the cluster busy?")

    def _refuse_without_nodes(self) -> None:
        address = self._ray.get_runtime_context().gcs_address
        if answers(address) and not nodes_up(self._ray):
            raise ExecutorError(f"the Ray cluster at {address} has no live node; {AGAIN}")

    def _grow(self) -> None:
        """Start workers for the places of nodes that joined."""
        if self._grow_to is None:
            return
        known, self._places = self._places, max(self._places, places(self._ray, self._resources))
        for _ in range(min(self._places - known, self._grow_to - len(self.handles))):
            self._spawn()

    def _waits_its_turn(self) -> bool:
        """Whether no worker has a place, and none is free; told once, if it takes longer than a start does."""
        placed = [handle.placed for handle in self.handles]
        if not placed or self._ray.wait(placed, timeout=0)[0] or has_room(self._ray, self._resources):
            return False
        if not self._told_waiting and time.monotonic() - self._began > _TELL_WAITING_S:
            logger.warning("no worker has a place yet: other jobs hold all of the cluster's; waiting for one")
            self._told_waiting = True
        return True

    def close(self) -> None:
        """Kill all workers."""
        for handle in self.handles:
            self._ray.kill(handle.actor, no_restart=True)
        self.handles.clear()
