"""The losses of images, and of mixtures of their codes, as functions of a network's weights (FGMix, section 4.5.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from passband.jobs.reproduce.graph import Made
from passband.jobs.training.addressed import generator_at, key_of
from passband.jobs.training.batches import TrainBatch, to_device
from passband.jobs.training.checkpoint import kept_objective
from passband.jobs.training.objectives.codes import coded
from passband.jobs.training.objectives.combinations import draw_combinations
from passband.jobs.training.objectives.fgmix import FgMixOptions
from passband.jobs.training.objectives.policy import Policy
from passband.jobs.training.spec import load_train_job
from passband.jobs.training.update import Update
from passband.pipeline.layout import JOB
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import Network
from passband.pipeline.store import LocalStore

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Mixtures:
    """Mixtures of the codes of N images by weights that stand still, whatever the network.

    Attributes
    ----------
    matrix : (M, N) float32, the weights; rows sum to 1
    labels : (M,) int64
    """

    matrix: Tensor
    labels: Tensor


@dataclass(frozen=True)
class MixedLoss:
    """What is asked of a network: the mean cross-entropy of some images, and of mixtures of their codes."""

    images: TrainBatch
    mixtures: Mixtures

    def of(self, network: nn.Module) -> tuple[float, float]:
        """Return the mean loss of the images, and the mean of that and of the mixtures', as training weighs both."""
        with torch.no_grad():
            found = coded(Update(_CPU), network, self.images.first)
            mixed = found.layer.logits(self.mixtures.matrix @ found.codes)
            originals = nn.functional.cross_entropy(found.logits, self.images.labels)
            mixtures = nn.functional.cross_entropy(mixed, self.mixtures.labels)
        return float(originals), float(originals + mixtures) / 2


def image_loss(network: nn.Module, images: TrainBatch) -> float:
    """Return the mean cross-entropy of images."""
    with torch.no_grad():
        return float(nn.functional.cross_entropy(network(images.first), images.labels))


def training_images(dataset: str, count: int) -> TrainBatch:
    """Return `count` images of a dataset, each class of each group equally often; the same ones in every call."""
    with open_stream(
        dataset, batch_size=count, seed=0, rank=0, world_size=1, balance="group_class", workers=1
    ) as stream:
        return to_device(next(iter(stream)), _CPU)


def trained_mixtures(training: Made, step: int, network: Network, images: TrainBatch) -> Mixtures:
    """Return mixtures of images' codes, weighed as an FGMix training has learned to by a step that it kept.

    Combinations are drawn by the training's seed, and weighed once, at `network`.
    """
    store = LocalStore(training.path)
    job = load_train_job(store.path(JOB))
    options = job.objective_options()
    assert isinstance(options, FgMixOptions)
    policy = Policy(options, job.seed, _CPU)
    policy.load_state_dict(kept_objective(store, step)["learned"])
    rng = generator_at(key_of("fgmix", "landscape", job.seed))
    drawn = draw_combinations(rng, images.labels.numpy(), images.groups.numpy(), options.mixtures)
    found = coded(Update(_CPU), network, images.first)
    weighed = policy.weigh(rng, found.codes, drawn, found.layer)
    return Mixtures(drawn.matrix(weighed.weights, len(images)), drawn.labels)
