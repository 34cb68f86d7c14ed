"""How flat the loss is around the end of a training, in random directions (FGMix, figure 5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from passband.jobs.reproduce.graph import Made, Stopped
from passband.pipeline.canonical import digest
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

_VERSION = 1


@dataclass(frozen=True)
class FlatnessTask:
    """The squared rise of the loss at weights some distances away.

    Attributes
    ----------
    training, dataset : names of their nodes
    step : of the training, whose kept network is looked at
    mixed : whether the loss is that of images and mixtures together, else of images alone
    images : so many, each class of each group equally often
    directions : of all weights together, the same ones for every network
    radii : distances
    """

    training: str
    dataset: str
    step: int
    mixed: bool
    images: int
    directions: int
    radii: tuple[float, ...]
    kind: ClassVar[str] = "flatness"

    def identity(self, needs: Mapping[str, Made]) -> str:
        """Return the sha256 of network, images and all that is asked for."""
        made = {"training": needs[self.training].identity, "dataset": needs[self.dataset].identity}
        return digest({"version": _VERSION, **asdict(self), **made})

    def run(self, folder: str, needs: Mapping[str, Made], stopped: Stopped) -> dict[str, Any]:
        """Write the mean over directions of the squared rise at each distance."""
        from passband.jobs.reproduce.tasks import kept_model
        from passband.jobs.training.addressed import generator_at, key_of
        from passband.jobs.training.objectives.flatness import sphere
        from passband.pipeline.networks.network import load_network

        torch.set_num_threads(1)
        network = load_network(kept_model(needs[self.training], self.step))
        weights = sum(parameter.numel() for parameter in network.parameters())
        directions = sphere(generator_at(key_of("flatness")), self.directions, weights).float()
        rises = squared_rises(network, self._loss(needs, network), directions, self.radii)
        results = {"kind": self.kind, "squared_rise": rises.mean(0).tolist()}
        put_sealed(LocalStore(folder), RESULTS, results)
        return results

    def _loss(self, needs: Mapping[str, Made], network: Any) -> Callable[[], float]:
        """Return what says the loss of the network as it is then."""
        from passband.jobs.reproduce.mixed_losses import MixedLoss, image_loss, trained_mixtures, training_images

        images = training_images(needs[self.dataset].path, self.images)
        if not self.mixed:
            return lambda: image_loss(network, images)
        mixed = MixedLoss(images, trained_mixtures(needs[self.training], self.step, network, images))
        return lambda: mixed.of(network)[1]


def squared_rises(network: nn.Module, loss: Callable[[], float], directions: Tensor, radii: Sequence[float]) -> Tensor:
    """Return (L(theta + g d) - L(theta))^2 for each direction d and radius g; the network stays as it was.

    Parameters
    ----------
    loss : says the loss of `network` as it is then
    directions : (D, P) unit vectors, P the number of all weights

    Returns
    -------
    (D, radii) float64
    """
    theta = parameters_to_vector(network.parameters()).detach().clone()
    here, found = loss(), torch.zeros(len(directions), len(radii), dtype=torch.float64)
    for row, direction in zip(found, directions, strict=True):
        for number, radius in enumerate(radii):
            vector_to_parameters(theta + radius * direction, network.parameters())
            row[number] = (loss() - here) ** 2
    vector_to_parameters(theta, network.parameters())
    return found
