"""A driver on a cluster: ``python -m tests.jobs.cluster.driver GCS_ADDRESS LOG HOW`` prints who did each task.

``growing``: two workers at first, as many as the head has CPUs, and up to four when a node joins. ``waiting``: four, of
which two have no place before it does.
"""

import sys
from pathlib import Path

from passband.jobs.executors.ray import RayExecutor
from passband.jobs.executors.ray_session import connect
from tests.jobs.executors.faulty import FaultyTask


def main(address: str, log: Path, how: str) -> None:
    executor = RayExecutor(2 if how == "growing" else 4, grow_to=4 if how == "growing" else None, check_versions=True)
    with connect(address):
        tasks = (FaultyTask(index, log, seconds=0.25) for index in range(2_000))
        for outcome in executor.run(tasks):
            print(outcome.worker.rpartition(":")[2], flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
