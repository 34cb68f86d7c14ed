"""A driver on a cluster: ``python -m tests.jobs.cluster.driver GCS_ADDRESS LOG`` prints the worker of every task done.

Two workers at first, as many as the head has CPUs, and up to four when a node joins.
"""

import sys
from pathlib import Path

from jobs.executors.ray import RayExecutor
from jobs.executors.ray_session import connect
from tests.jobs.executors.faulty import FaultyTask


def main(address: str, log: Path) -> None:
    with connect(address):
        tasks = (FaultyTask(index, log, seconds=0.25) for index in range(2_000))
        for outcome in RayExecutor(2, grow_to=4, check_versions=True).run(tasks):
            print(outcome.worker.rpartition(":")[2], flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
