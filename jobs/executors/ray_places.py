"""Places for workers: what the nodes of a cluster can hold, and what is free of it."""

from collections.abc import Mapping
from typing import Any

Resources = Mapping[str, float]


def as_ray_says(resources: Mapping[str, float]) -> dict[str, float]:
    """Return ``num_cpus`` and ``num_gpus`` of a worker by the names of a node's resources."""
    return {"CPU": resources["num_cpus"], "GPU": resources["num_gpus"]}


def nodes_up(ray: Any) -> list[Resources]:
    """Return the resources of every node that is up, in use or not."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def fits(there: Resources, resources: Mapping[str, float]) -> bool:
    """Whether a worker fits into the resources of a node."""
    return all(there.get(name, 0) >= number for name, number in as_ray_says(resources).items())


def has_room(ray: Any, resources: Mapping[str, float]) -> bool:
    """Whether the cluster has as much free as a worker needs."""
    return fits(ray.available_resources(), resources)


def places(ray: Any, resources: Mapping[str, float]) -> int:
    """Return how many workers the nodes that are up can hold together."""
    asked = {name: number for name, number in as_ray_says(resources).items() if number > 0}
    return sum(int(min(node.get(name, 0) / number for name, number in asked.items())) for node in nodes_up(ray))


def cluster_places(num_cpus: float, num_gpus: float = 0) -> int:
    """Return how many workers of so many CPUs and GPUs the cluster can hold that this process is connected to."""
    import ray

    return places(ray, {"num_cpus": num_cpus, "num_gpus": num_gpus})
