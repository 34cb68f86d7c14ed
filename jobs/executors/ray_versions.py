"""Every node of a cluster must run what the driver runs: told before any work is done there."""

import socket
from collections.abc import Mapping
from typing import Any

from jobs.executors.base import ExecutorError, one_line
from jobs.executors.versions import current_versions, differences

_PATIENCE_S = 60.0


def refuse_other_nodes(ray: Any) -> None:
    """Raise ExecutorError, naming node, library and both versions, unless all nodes that are up run what we run."""
    asked = {_ask(ray, node["NodeID"]): node for node in ray.nodes() if node["Alive"]}
    answered, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENCE_S)
    problems = []
    for reference, node in asked.items():
        name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"
        if reference not in answered:
            problems.append(f"node {name} starts no worker within {_PATIENCE_S:g} s")
            continue
        try:
            problem = ray.get(reference)
        except ray.exceptions.RayError as error:
            problem = f"cannot tell its versions: {one_line(error)[:300]}"
        if problem:
            problems.append(f"node {name} {problem}")
    if problems:
        raise ExecutorError("; ".join(problems))


def _ask(ray: Any, node_id: str) -> Any:
    """Ask one node; it needs no free CPU for that."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    task = ray.remote(differences_here).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return task.remote(current_versions())


def differences_here(driver: Mapping[str, str]) -> str | None:
    """Say in words how this process's versions differ from the driver's; None if they do not."""
    found = differences(current_versions(), driver, "the driver")
    return f"runs {', '.join(found)}: install one version on all" if found else None


def refusal(driver: Mapping[str, str]) -> str | None:
    """Say why this worker's process must not work for the driver, naming its node; None if it may."""
    found = differences_here(driver)
    return None if found is None else f"node {socket.gethostname()} {found}"
