"""A second node on loopback: ``python -m tests.jobs.cluster.node GCS_ADDRESS``, until it is killed.

What ``ray start --address`` starts. The command itself refuses to while all of Ray is held to loopback.
"""

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
    Node(settings, head=False, shutdown_at_exit=True, spawn_reaper=False)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
