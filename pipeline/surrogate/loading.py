"""A surrogate from a checkpoint's content: of ours, published weights for a network of ours, or torchvision's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from passband.kernels import backend
from passband.pipeline.networks.efficientnet import from_published
from passband.pipeline.networks.network import Network, NetworkError, NetworkSpec, read_network
from passband.pipeline.networks.packaged import PACKAGED
from passband.pipeline.networks.pretrained import IMAGENET, Weights, refuse_unknown
from passband.pipeline.networks.safe import load_safely, refuse_non_finite
from passband.pipeline.networks.state_dict import take_weights
from passband.pipeline.surrogate.model import Surrogate
from passband.pipeline.surrogate.options import SurrogateOptions


def load_surrogate(
    content: bytes,
    options: SurrogateOptions,
    *,
    classes: Sequence[str],
    shape: Sequence[int],
    kernels: ModuleType | None = None,
) -> Surrogate:
    """Return the surrogate of a checkpoint's content.

    Parameters
    ----------
    classes : class names of the data; the network's are the same, unless its labels are its own
    shape : (C, H, W) of its images
    kernels : module
        The backend that it works beside; by default that of the CPU.

    Raises
    ------
    NetworkError
        If it is another network, tells other classes apart, takes images of another size, or has a weight that is not
        finite; each by name.
    """
    kernels = kernels or backend("cpu")
    wanted = None if options.labels == "own" else classes
    if options.is_torchvision:
        network = _torchvision(content, options, wanted, shape)
    elif options.network in PACKAGED and "format" not in (state := load_safely(content, options.checkpoint)):
        network = _published(state, options, wanted, shape)
    else:
        network = _ours(content, options, wanted, shape)
    return Surrogate(network, options, shape, kernels)


def _ours(content: bytes, options: SurrogateOptions, classes: Sequence[str] | None, shape: Sequence[int]) -> Network:
    network = read_network(content, options.checkpoint, classes=classes, shape=shape)
    if network.spec.kind != options.network:
        raise NetworkError(f"{options.checkpoint}: holds a {network.spec.kind}, surrogate.network is {options.network}")
    return network


def _published(
    state: Mapping[str, Any], options: SurrogateOptions, classes: Sequence[str] | None, shape: Sequence[int]
) -> Network:
    """Return a network of ours with the weights that a package of `PACKAGED` has."""
    where, (known, *_) = options.checkpoint, PACKAGED[options.network].values()
    own = from_published(state, where)
    names = [str(number) for number in range(_last_size(own, where))]
    if shape[0] != len(known.mean):
        raise NetworkError(f"{where}: takes images of {len(known.mean)} channels, the data has {shape[0]}")
    if classes is not None and len(classes) != len(names):
        raise NetworkError(f"{where}: tells {len(names)} classes apart, the data has {len(classes)}; "
                           "labels: own makes do with others")  # fmt: skip
    mean, std = list(known.mean), list(known.std)
    network = Network(NetworkSpec(kind=options.network, shape=list(shape), classes=names, mean=mean, std=std))
    take_weights(network.body, Weights(Path(where), known.sha256, own, known.mean, known.std))
    refuse_non_finite(own, where)
    return network


def _last_size(state: Mapping[str, Any], where: str) -> int:
    """Return how many classes a state dict tells apart: it ends with the last layer's weights or biases."""
    last = list(state.values())[-1:]
    if not last or not isinstance(last[0], torch.Tensor) or last[0].dim() == 0:
        raise NetworkError(f"{where}: is no state dict of a classifier: it ends with no weights of a last layer")
    return len(last[0])


def _torchvision(
    content: bytes, options: SurrogateOptions, classes: Sequence[str] | None, shape: Sequence[int]
) -> nn.Module:
    from torchvision.models import get_model

    name = refuse_unknown(options.network)
    state = load_safely(content, options.checkpoint)
    num_classes = _last_size(state, options.checkpoint) if classes is None else len(classes)
    try:
        body = get_model(name, weights=None, num_classes=num_classes)
        body.load_state_dict(state)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        wanted = f"{options.network} for {num_classes} classes"
        raise NetworkError(f"{options.checkpoint}: is no state dict of {wanted}: {_last_line(error)}") from error
    refuse_non_finite(state, options.checkpoint)
    mean, std = (options.mean, options.std) if options.mean and options.std else IMAGENET
    network = _Normalized(body, mean, std)
    _try_out(network, options, num_classes, shape)
    return network


def _try_out(network: nn.Module, options: SurrogateOptions, num_classes: int, shape: Sequence[int]) -> None:
    """Refuse images of a size that the network cannot take, and networks that do not answer with logits."""
    try:
        with torch.inference_mode():
            logits = network.eval()(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise NetworkError(f"{options.network}: takes no images of shape {list(shape)}: {_last_line(error)}") from error
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, num_classes):
        raise NetworkError(f"{options.network}: does not answer with {num_classes} logits an image")


def _last_line(error: Exception) -> str:
    """Return the end of what torch says, which names the cause; it lists every key of a network before."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]


class _Normalized(nn.Module):
    """A network of torchvision that is given images in [0, 1]."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: torch.Tensor) -> Any:
        return self.body((images - self.mean) / self.std)
