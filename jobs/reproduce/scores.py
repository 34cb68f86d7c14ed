"""How distribution-agnostic SharpDRO weighs its training images, by severity (its figure 6)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1


@dataclass(frozen=True)
class ScoreTask:
    """The weights of images under a training's network, as its objective would give them in batches of a stored order.

    Attributes
    ----------
    training, dataset : names of their nodes
    rho : length of the perturbation
    batch_size : images that share a perturbation and a mean weight
    edges : of the bins of the histogram, each from the edge before it; the last bin has no end
    """

    training: str
    dataset: str
    rho: float
    batch_size: int
    edges: tuple[float, ...]
    kind: ClassVar[str] = "score"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, images and all that is asked for."""
        made = {"network": needs[self.training].identity, "images": needs[self.dataset].identity}
        asked = {"rho": self.rho, "batch_size": self.batch_size, "edges": self.edges}
        return digest({"version": _VERSION, **made, **asked})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write, by severity, the number of images, the mean of their weights, and the share, 0 to 1, in each bin."""
        from passband.pipeline.networks.network import load_network

        torch.set_num_threads(1)
        network = load_network(needs[self.training].path)
        pairs = [*self._weights(network, needs[self.dataset].path)]
        weights, severities = (torch.cat(column).numpy() for column in zip(*pairs, strict=True))
        results = {"kind": self.kind, "scores": by_severity(weights, severities, self.edges)}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _weights(self, network: nn.Module, path: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield weights and severities of batches; as in training, batch norm goes by the batch."""
        from passband.jobs.training.batches import to_device
        from passband.jobs.training.objectives.perturb import ascent, perturbed
        from passband.jobs.training.objectives.sharpdro import confidence_weights
        from passband.jobs.training.predict import stored_order

        network.train()
        with stored_order(path, ["clean"], self.batch_size, workers=1) as stream:
            for batch in stream:
                given = to_device(batch, torch.device("cpu"))
                network.zero_grad()
                here = network(given.first)
                nn.functional.cross_entropy(here, given.labels).backward()
                with perturbed(network, ascent(network, self.rho, "l2")), torch.no_grad():
                    there = network(given.first)
                yield confidence_weights(here.detach(), there), given.groups


def by_severity(
    weights: NDArray[np.float32], severities: NDArray[np.int64], edges: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """Return, for each severity that occurs, the number of images, their mean weight, and the shares in the bins.

    Parameters
    ----------
    weights, severities : (N,)
    edges : rising; bin b is edges[b] <= weight < edges[b + 1], without an end for the last one
    """
    found = {}
    for severity in np.unique(severities):
        mine = weights[severities == severity]
        bins = np.bincount(np.searchsorted(edges, mine, side="right") - 1, minlength=len(edges))
        found[str(severity)] = {
            "images": len(mine),
            "mean": float(mine.mean(dtype=np.float64)),
            "histogram": (bins / len(mine)).tolist(),
        }
    return found
