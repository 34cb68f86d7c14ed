"""The network that a training begins with: drawn by its seed, from a checkpoint, or with published weights."""

from collections.abc import Sequence

from passband.jobs.common.jobfile import JobError
from passband.jobs.training.spec import NetworkSection, TrainJob
from passband.jobs.training.statistics import channel_statistics
from passband.pipeline.loading import Stream
from passband.pipeline.networks.names import default_stem
from passband.pipeline.networks.network import Network, NetworkSpec, build_network, load_network
from passband.pipeline.networks.pretrained import Weights, read_weights
from passband.pipeline.networks.state_dict import read_state_dict


def with_stem(job: TrainJob, shape: Sequence[int]) -> TrainJob:
    """Return the job with the stem of a Wide ResNet for images of `shape` said, where it is not the first form's.

    It had that form alone once, at any size, so a job that leaves the stem out keeps its identity up to 64 pixels, and
    above has another one. Of a ResNet-18 the rule is as old as the network.
    """
    network = job.network
    fixed = network.kind != "wide_resnet16_4" or network.stem is not None or network.checkpoint is not None
    if fixed or default_stem(shape) != "imagenet":
        return job
    return job.model_copy(update={"network": network.model_copy(update={"stem": "imagenet"})})


def first_network(job: TrainJob, stream: Stream) -> Network:
    """Return the network before the first step.

    Raises
    ------
    PassbandError
        If it does not fit the images, or what it begins from is not there, damaged, or of another network.
    """
    section, shape, classes = job.network, stream.manifest.shape, stream.manifest.classes
    if section.checkpoint is not None:
        network = load_network(section.checkpoint, classes=classes, shape=shape, sha256=section.sha256)
        if network.spec.kind != section.kind:
            raise JobError(f"network.checkpoint: holds {network.spec.kind}, network.kind is {section.kind}")
        return network
    weights = _weights(section)
    mean, std = _normalization(job, stream, weights)
    if not len(mean) == len(std) == shape[0]:
        raise JobError(
            f"network: mean {mean} and std {std}; the images have {shape[0]} channels, each needs one number"
        )
    spec = NetworkSpec(
        kind=section.kind,
        stem=section.stem or (default_stem(shape) if section.kind == "resnet18" else None),  # type: ignore[arg-type]
        batch_norm=section.batch_norm,
        dropout=section.dropout,
        shape=shape,
        classes=classes,
        mean=mean,
        std=std,
    )
    return build_network(spec, job.seed, weights)


def _weights(section: NetworkSection) -> Weights | None:
    if section.pretrained is not None:
        return read_state_dict(section.kind, section.pretrained, section.sha256)
    return None if section.weights is None else read_weights(section.kind, section.weights)


def _normalization(job: TrainJob, stream: Stream, weights: Weights | None) -> tuple[list[float], list[float]]:
    """Return mean and deviation: of the job, else of what the weights were trained with, else of the images."""
    section = job.network
    if section.mean and section.std:
        return section.mean, section.std
    if weights is not None and weights.mean is not None and weights.std is not None:
        return list(weights.mean), list(weights.std)
    assert job.data.path is not None
    return channel_statistics(job.data.path, stream.views[0])
