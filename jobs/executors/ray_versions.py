"""Every node of a cluster must run what the driver runs: told before any work is done there."""

import logging
import socket
from collections.abc import Mapping
from typing import Any

from passband.jobs.executors.base import ExecutorError, one_line
from passband.jobs.executors.versions import current_versions, differences

logger = logging.getLogger(__name__)

_PATIENCE_S = 60.0


def refuse_other_nodes(ray: Any) -> None:
    """Raise ExecutorError, naming node, library and both versions, unless all nodes that are up run what we run.

    A node that does not answer, as it just died or is too busy to start a process, is no reason to refuse: should a
    worker come up there later, it is asked again.
    """
    asked = {_ask(ray, node["NodeID"]): node for node in ray.nodes() if node["Alive"]}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENCE_S)
    for reference in silent:
        ray.cancel(reference, force=True)
        logger.warning("%s does not answer within %g s; going on without", _name(asked[reference]), _PATIENCE_S)
    problems = [f"{_name(asked[one])} {problem}" for one in answered if (problem := _answer(ray, one))]
    if problems:
        raise ExecutorError("; ".join(problems))


def _name(node: Mapping[str, Any]) -> str:
    return f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"


def _answer(ray: Any, reference: Any) -> str | None:
    """Return what is wrong with a node's versions; None if nothing is, or the node is gone."""
    try:
        problem: str | None = ray.get(reference)
    except ray.exceptions.RayError as error:
        logger.info("a node did not tell its versions: %s", one_line(error))
        return None
    return problem


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
