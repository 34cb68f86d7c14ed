"""A second node on loopback: ``python -m tests.jobs.cluster.node GCS_ADDRESS``, until SIGTERM.

What ``ray start --address`` starts. The command itself refuses to while all of Ray is held to loopback.
"""

import contextlib
import signal
import sys

from ray._private.node import Node
from ray._private.parameter import RayParams


def main(gcs_address: str) -> None:
    settings = RayParams(
        gcs_address=gcs_address,
        node_ip_address="127.0.0.1",
        num_cpus=2,
        num_gpus=0,
        object_store_memory=75 * 2**20,
        dashboard_agent_listen_port=0,
        min_worker_port=0,
        max_worker_port=0,
    )
    node = Node(settings, head=False, shutdown_at_exit=True, spawn_reaper=False)
    with contextlib.suppress(SystemExit):
        signal.pause()
    node.kill_all_processes(check_alive=False, allow_graceful=False)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    main(sys.argv[1])
