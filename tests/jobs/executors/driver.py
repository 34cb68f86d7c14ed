"""A driver of its own: ``python -m tests.jobs.executors.driver LOG`` runs two tasks that hang."""

import sys
from pathlib import Path

from passband.jobs.executors.base import ExecutorError
from passband.jobs.executors.ray import RayExecutor
from passband.jobs.executors.ray_session import local_ray
from tests.jobs.executors.faulty import FaultyTask


def main(log: Path) -> int:
    with local_ray(2):
        try:
            for _ in RayExecutor(2).run(FaultyTask(index, log, ["hang"] * 3) for index in range(4)):
                pass
        except ExecutorError as error:
            print(error, flush=True)
            return 3
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
