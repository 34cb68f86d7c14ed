"""A network with all that its use needs: how images are normalised, and the names of what it tells apart."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor, nn

from pipeline.errors import PassbandError
from pipeline.networks.checkpoint import checkpoint_file
from pipeline.networks.plain import convnet, lenet
from pipeline.networks.residual import resnet18, wide_resnet16_4
from pipeline.options import StrictModel

FORMAT = 1
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "convnet": convnet,
    "lenet": lenet,
    "resnet18": resnet18,
    "wide_resnet16_4": wide_resnet16_4,
}


class NetworkError(PassbandError):
    """A checkpoint that cannot be used, or a network that does not fit its images; the message says why."""


class NetworkSpec(StrictModel):
    """All that is needed to build a network.

    Attributes
    ----------
    shape : [C, H, W] of the images
    mean, std : one number a channel, of images in [0, 1]
    """

    kind: Literal["convnet", "lenet", "resnet18", "wide_resnet16_4"]
    stem: Literal["cifar", "imagenet"] | None = None
    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    classes: list[str] = Field(min_length=1)
    mean: list[float]
    std: list[float]

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if self.stem is not None and self.kind != "resnet18":
            raise ValueError(f"a stem is chosen for resnet18 only, not for {self.kind}")
        if len(self.mean) != self.shape[0] or len(self.std) != self.shape[0] or not all(s > 0 for s in self.std):
            raise ValueError(f"mean {self.mean} and std {self.std}: one number a channel, std above 0")
        return self


class Network(nn.Module):
    """A classifier of images in [0, 1]: (N, C, H, W) float32 -> (N, classes) logits. It normalises inside."""

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        channels, height, width = spec.shape
        options = {} if spec.stem is None else {"stem": spec.stem}
        try:
            with torch.device("meta"):  # nothing is drawn from torch's global generator
                self.body = NETWORKS[spec.kind]((channels, height, width), len(spec.classes), **options)
        except ValueError as error:
            raise NetworkError(f"network {spec.kind}: {error}") from error
        self.body.to_empty(device="cpu")
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(spec.std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of `images`."""
        logits: Tensor = self.body((images - self.mean) / self.std)
        return logits


def build_network(spec: NetworkSpec, seed: int) -> Network:
    """Return a network whose weights are a function of `spec` and `seed`, and of no global random state.

    Convolutions are drawn as He et al. 2015 (normal, fan out), linear layers uniformly within 1 / sqrt(inputs) as
    torch does; norms start at 1 and 0.
    """
    network, generator = Network(spec), torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return network


def network_bytes(network: Network) -> bytes:
    """Return `network` as the content of a checkpoint, which `load_network` reads."""
    buffer = io.BytesIO()
    state = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    torch.save({"format": FORMAT, "network": network.spec.model_dump(), "state": state}, buffer)
    return buffer.getvalue()


def load_network(
    path: str | Path, *, classes: Sequence[str] | None = None, shape: Sequence[int] | None = None
) -> Network:
    """Read the network of a checkpoint, in evaluation mode on the CPU.

    Parameters
    ----------
    path : a file, or the output folder of a training, whose ``model.pt`` is read
    classes, shape : what the caller's data has; another is refused

    Raises
    ------
    NetworkError
        If the file is not a checkpoint of ours, or of other classes or another image size.
    """
    file = checkpoint_file(path)
    return read_network(read_checkpoint(file), str(file), classes=classes, shape=shape)


def read_checkpoint(file: Path) -> bytes:
    """Return the content of a checkpoint's file; raise NetworkError where it cannot be read."""
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise NetworkError(f"{file}: there is no checkpoint") from error
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror}") from error


def read_network(
    content: bytes, where: str, *, classes: Sequence[str] | None = None, shape: Sequence[int] | None = None
) -> Network:
    """Return the network of a checkpoint that was read already; `where` names it in errors, see `load_network`."""
    found = load_safely(content, where)
    if found.get("format") != FORMAT:
        raise NetworkError(f"{where}: is not a checkpoint of format {FORMAT}")
    try:
        spec = NetworkSpec.model_validate(found["network"])
        network = Network(spec)
        network.load_state_dict(found["state"])
    except (KeyError, TypeError, ValidationError, RuntimeError, AttributeError) as error:
        raise NetworkError(f"{where}: is not a checkpoint of a network: {_first_line(error)}") from error
    if classes is not None and list(classes) != spec.classes:
        raise NetworkError(f"{where}: tells {_brief(spec.classes)} apart, the data has {_brief(classes)}")
    if shape is not None and list(shape) != spec.shape:
        raise NetworkError(f"{where}: takes images of shape {spec.shape}, the data has {list(shape)}")
    return network.eval()


def load_safely(content: bytes, where: str) -> dict[str, Any]:
    """Return the mapping in a file of torch's, tensors and plain values alone; raise NetworkError otherwise."""
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch answers damage with errors of pickle, zip and its own
        raise NetworkError(f"{where}: is not a checkpoint that can be read safely: {_first_line(error)}") from error
    if not isinstance(found, dict):
        raise NetworkError(f"{where}: is not a checkpoint of format {FORMAT}")
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _brief(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{len(names)} classes ({shown}{', ...' if len(names) > 5 else ''})"
