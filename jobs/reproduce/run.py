"""Run a graph: the datasets, then all else on a pool of processes, resuming what an earlier run left."""

from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from passband.jobs.reproduce.datasets import make_datasets
from passband.jobs.reproduce.display import Display
from passband.jobs.reproduce.graph import DatasetTask, Graph, Made, Node
from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.worker import Outcome, Pool
from passband.pipeline.errors import PassbandError
from passband.pipeline.lock import locked
from passband.pipeline.store import LocalStore

_TICK_S = 1.0


def run_graph(graph: Graph, output: str, workers: int, display: Display) -> Ledger:
    """Make what of a graph is not there yet, and return what became of every node.

    A node that fails is entered with its reason; those that do not need it go on.

    Parameters
    ----------
    output : absolute path of a folder
    workers : processes beside this one; the results do not depend on their number

    Raises
    ------
    PassbandError
        If another process is at work on `output`.
    """
    with locked(LocalStore(output)):
        ledger = Ledger(graph, workers)
        make_datasets(ledger, output, display)
        _Dispatch(ledger, output, display).run()
        return ledger


class _Dispatch:
    """Hands the nodes that are ready to processes, as many as there are, and enters what comes back.

    When a process dies, the pool is lost with all that runs on it, and nothing tells whose process it was: those
    nodes are then run one at a time, and one that loses its pool again has failed.
    """

    def __init__(self, ledger: Ledger, output: str, display: Display) -> None:
        self._ledger, self._output, self._display = ledger, output, display
        self._running: dict[Future[Outcome], tuple[Node, Made]] = {}
        self._suspects: deque[Node] = deque()
        self._alone: Node | None = None

    def run(self) -> None:
        """Return when every node is made, has failed, or stands behind one that has."""
        whole = False
        while not whole:
            with Pool(self._ledger.workers) as pool:
                whole = self._drain(pool)

    def _drain(self, pool: Pool) -> bool:
        """Return True when nothing is left to do, False when the pool broke."""
        try:
            while self._fill(pool):
                done, _ = wait(self._running, _TICK_S, FIRST_COMPLETED)
                for future in done:
                    self._take(future)
                self._display.tick(self._ledger)
        except BrokenProcessPool:
            self._suspect()
            return False
        return True

    def _fill(self, pool: Pool) -> bool:
        """Hand out what there is room for; return whether anything runs."""
        while self._alone is None and len(self._running) < (1 if self._suspects else self._ledger.workers):
            node = self._next()
            if node is None:
                break
            self._begin(pool, node)
        return bool(self._running)

    def _next(self) -> Node | None:
        if self._suspects:
            self._alone = self._suspects.popleft()
            return self._alone
        return next(iter(self._ledger.ready()), None)

    def _begin(self, pool: Pool, node: Node) -> None:
        assert not isinstance(node.task, DatasetTask), "datasets are made before"
        try:
            made, results = self._ledger.find(node, self._output)
        except PassbandError as error:
            return self._fail(node, str(error))
        if results is not None:
            return self._enter(node, made, results, None)
        needs = {name: self._ledger.made[name] for name in node.needs}
        self._ledger.begin(node)
        future: Future[Outcome] = Future()
        self._running[future] = (node, made)  # before the pool is asked: if that is broken, the node is a suspect
        submitted = pool.submit(node.task, made.path, needs)
        del self._running[future]
        self._running[submitted] = (node, made)
        self._display.begun(self._ledger, node.name)

    def _take(self, future: "Future[Outcome]") -> None:
        outcome = future.result()
        node, made = self._running.pop(future)
        if outcome.results is None:
            return self._fail(node, outcome.error or "was stopped")
        self._enter(node, made, outcome.results, outcome.seconds)

    def _enter(self, node: Node, made: Made, results: dict[str, Any], seconds: float | None) -> None:
        self._alone = None
        self._ledger.enter(node, made, results, seconds)
        self._display.finished(self._ledger, node.name)

    def _suspect(self) -> None:
        for node, _ in self._running.values():
            self._ledger.running.pop(node.name, None)
            if node is self._alone:
                self._fail(node, "its process died: killed, or out of memory")
            else:
                self._suspects.append(node)
        self._running.clear()

    def _fail(self, node: Node, why: str) -> None:
        self._alone = None
        self._ledger.fail(node, why)
        self._display.failed(self._ledger, node.name)
