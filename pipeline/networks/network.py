"""A network with all that its use needs: how images are normalised, and the names of what it tells apart."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator
from torch import Tensor, nn

from passband.pipeline.networks.checkpoint import NetworkError, checkpoint_file, read_checkpoint
from passband.pipeline.networks.dense import densenet_small
from passband.pipeline.networks.dropout import DroppedLinear
from passband.pipeline.networks.efficientnet import efficientnet_lite0
from passband.pipeline.networks.finite import find_non_finite
from passband.pipeline.networks.names import TORCHVISION, check_network, check_parts, check_stem
from passband.pipeline.networks.plain import convnet, lenet
from passband.pipeline.networks.pretrained import Weights, refuse_untrainable, torchvision_body, try_out
from passband.pipeline.networks.residual import resnet18, wide_resnet16_4
from passband.pipeline.networks.safe import FORMAT, first_line, load_safely, refuse_non_finite
from passband.pipeline.networks.state_dict import take_weights
from passband.pipeline.networks.vgg import vgg11
from passband.pipeline.options import StrictModel

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "convnet": convnet,
    "lenet": lenet,
    "vgg11": vgg11,
    "resnet18": resnet18,
    "wide_resnet16_4": wide_resnet16_4,
    "densenet_small": densenet_small,
    "efficientnet_lite0": efficientnet_lite0,
}


_YOUNGER = ("batch_norm", "dropout")


class NetworkSpec(StrictModel):
    """All that is needed to build a network.

    Attributes
    ----------
    kind : a key of `NETWORKS`, or torchvision/NAME
    stem : of residual networks; None is each one's first form: ``cifar``
    batch_norm : None is what each network has by itself
    dropout : share of the features before the last layer that is dropped in training; None is none
    shape : [C, H, W] of the images
    mean, std : one number a channel, of images in [0, 1]
    """

    kind: str
    stem: Literal["cifar", "imagenet"] | None = None
    batch_norm: bool | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    classes: list[str] = Field(min_length=1)
    mean: list[float]
    std: list[float]

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave younger keys out that are not given, so that earlier versions read what they could build."""
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if key not in _YOUNGER or value is not None}

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        check_network(self.kind, "kind")
        check_stem(self.kind, self.stem)
        check_parts(self.kind, self.batch_norm, self.dropout)
        if len(self.mean) != self.shape[0] or len(self.std) != self.shape[0] or not all(s > 0 for s in self.std):
            raise ValueError(f"mean {self.mean} and std {self.std}: one number a channel, std above 0")
        return self


class Network(nn.Module):
    """A classifier of images in [0, 1]: (N, C, H, W) float32 -> (N, classes) logits. It normalises inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        with torch.device("meta"):  # nothing is drawn from torch's global generator
            self.body = _body(spec)
        self.body.to_empty(device="cpu")
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of `images`."""
        logits: Tensor = self.body((images - self.mean) / self.std)
        return logits


def _body(spec: NetworkSpec) -> nn.Module:
    if spec.kind.startswith(TORCHVISION):
        return torchvision_body(spec.kind, len(spec.classes))
    channels, height, width = spec.shape
    given = {"stem": spec.stem, "batch_norm": spec.batch_norm, "dropout": spec.dropout}
    options = {key: value for key, value in given.items() if value is not None}
    try:
        return NETWORKS[spec.kind]((channels, height, width), len(spec.classes), **options)
    except ValueError as error:
        raise NetworkError(f"network {spec.kind}: {error}") from error


def build_network(spec: NetworkSpec, seed: int, weights: Weights | None = None) -> Network:
    """Return a network whose weights are a function of `spec`, `seed` and `weights`, and of no global random state.

    Parameters
    ----------
    weights : of `read_weights` or `read_state_dict`, which the network begins from
        A last layer that tells another number of classes apart is drawn.

    Notes
    -----
    Convolutions are drawn as He et al. 2015 (normal, fan out), linear layers uniformly within 1 / sqrt(inputs) as
    torch does; norms start at 1 and 0.
    """
    network, generator = Network(spec), torch.Generator().manual_seed(seed)
    if spec.kind.startswith(TORCHVISION):
        refuse_untrainable(network.body, spec.kind, given=weights is not None)
        try_out(network.body, spec.kind, spec.shape, len(spec.classes))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, DroppedLinear):
            module.seed = seed
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    if weights is not None:
        take_weights(network.body, weights)
    return network


def network_bytes(network: Network) -> bytes:
    """Return `network` as the content of a checkpoint, which `load_network` reads.

    Raises
    ------
    NetworkError
        If a weight is not finite.
    """
    buffer = io.BytesIO()
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    if (found := find_non_finite(state)) is not None:
        raise NetworkError(f"the weight {found}, so the network is not written")
    torch.save({"format": FORMAT, "network": network.spec.model_dump(), "state": state}, buffer)
    return buffer.getvalue()


def load_network(
    path: str | Path,
    *,
    classes: Sequence[str] | None = None,
    shape: Sequence[int] | None = None,
    sha256: str | None = None,
) -> Network:
    """Read the network of a checkpoint, in evaluation mode on the CPU.

    Parameters
    ----------
    path : a file, or the output folder of a training, whose ``model.pt`` is read
    classes, shape : what the caller's data has; another is refused
    sha256 : what the file must have; the hash beside it, where there is one, counts in any case

    Raises
    ------
    NetworkError
        If the file is not a checkpoint of ours, or of other classes or another image size, or a weight is not finite.
    IntegrityError
        If it has another hash.
    """
    file, found = checkpoint_file(path), read_checkpoint(path, sha256)
    return read_network(found.content, str(file), classes=classes, shape=shape, hashed=found.recorded)


def read_network(
    content: bytes,
    where: str,
    *,
    classes: Sequence[str] | None = None,
    shape: Sequence[int] | None = None,
    hashed: bool = False,
) -> Network:
    """Return the network of a checkpoint that was read already; `where` names it in errors, see `load_network`."""
    found = load_safely(content, where, hashed=hashed)
    if found.get("format") != FORMAT:
        raise NetworkError(f"{where}: is not a checkpoint of format {FORMAT}")
    try:
        spec = NetworkSpec.model_validate(found["network"])
        network = Network(spec)
        network.load_state_dict(found["state"])
    except (KeyError, TypeError, ValidationError, RuntimeError, AttributeError) as error:
        raise NetworkError(f"{where}: is not a checkpoint of a network: {first_line(error)}") from error
    refuse_non_finite(found["state"], where)
    if classes is not None and list(classes) != spec.classes:
        raise NetworkError(f"{where}: tells {_brief(spec.classes)} apart, the data has {_brief(classes)}")
    if shape is not None and list(shape) != spec.shape:
        raise NetworkError(f"{where}: takes images of shape {spec.shape}, the data has {list(shape)}")
    return network.eval()


def _brief(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names)} classes ({shown}{', ...' if len(names) > 5 else ''})"
