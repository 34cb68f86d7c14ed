"""The energy of adversarial perturbations along the diagonal of the DCT, of one network (figure 4.12 of the thesis)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.attacks.energy import energy_shares
from passband.pipeline.attacks.subspaces import DctBlocks
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1
_BATCH = 128
QUANTILES = (5, 50, 95)


@dataclass(frozen=True)
class SpectrumTask:
    """What PGD adds to images against a training's network, by its frequencies.

    Attributes
    ----------
    training, dataset : names of their nodes
    view : of the dataset
    images : so many, from the first
    radius, steps : of PGD in the l2 norm, which begins at the image, as in training without a random start
    block, step : of the subspaces, as in `DctBlocks`
    """

    training: str
    dataset: str
    view: str
    images: int
    radius: float
    steps: int
    block: int
    step: int
    kind: ClassVar[str] = "spectrum"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, images, attack and subspaces."""
        made = {"training": needs[self.training].identity, "dataset": needs[self.dataset].identity}
        return digest({"version": _VERSION, **asdict(self), **made})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the 5 %, the median and the 95 % of the share of energy in each subspace, 0 to 1."""
        from passband.pipeline.networks.network import load_network

        torch.set_num_threads(1)
        network = load_network(needs[self.training].path).eval().requires_grad_(False)
        shares = [self._shares(network, *batch) for batch in self._batches(needs[self.dataset].path)]
        quantiles = np.percentile(np.concatenate(shares), QUANTILES, axis=0).T
        results = {"kind": self.kind, "energy": quantiles.tolist()}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _batches(self, path: str) -> list[tuple[Tensor, Tensor]]:
        """Return the first images with their labels."""
        from passband.jobs.training.batches import to_device
        from passband.jobs.training.predict import stored_order

        found, left = [], self.images
        with stored_order(path, [self.view], _BATCH, workers=1) as stream:
            for batch in stream:
                given = to_device(batch, torch.device("cpu"))
                found.append((given.first[:left], given.labels[:left]))
                left -= len(found[-1][0])
                if not left:
                    break
        return found

    def _shares(self, network: nn.Module, images: Tensor, labels: Tensor) -> NDArray[np.float64]:
        from passband.jobs.training.pgd import Pgd

        def losses(moved: Tensor) -> Tensor:
            return nn.functional.cross_entropy(network(moved), labels, reduction="none")

        added = Pgd.of("l2", self.radius, self.steps, None)(losses, images) - images
        return energy_shares(added, DctBlocks(tuple(added.shape[1:]), self.block, self.step))
