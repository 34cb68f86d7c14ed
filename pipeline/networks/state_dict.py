"""Plain state dicts, as torchvision writes them, and how a network takes one: name by name, but for its last layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from passband.pipeline.networks.checkpoint import NetworkError, checkpoint_file, read_checkpoint
from passband.pipeline.networks.dropout import EXTRA
from passband.pipeline.networks.efficientnet import from_published, is_published
from passband.pipeline.networks.names import TORCHVISION
from passband.pipeline.networks.packaged import PACKAGED
from passband.pipeline.networks.pretrained import IMAGENET, Weights
from passband.pipeline.networks.safe import load_safely, refuse_non_finite

_NAMED = 3
"""Names of weights in an error; more are counted."""


def read_state_dict(kind: str, path: str | Path, sha256: str | None = None) -> Weights:
    """Read a state dict for a network.

    Such a file does not say what images are normalized by: ImageNet's mean and deviation are those of torchvision's
    networks, published ones those of a network whose weights a package has, and none of others.

    Parameters
    ----------
    kind : as in `NetworkSpec`; one of ours has its own names, or those of published weights
    sha256 : what the file must have; the hash beside it, where there is one, counts in any case

    Raises
    ------
    NetworkError
        If it is no state dict, or not finite.
    IntegrityError
        If it has another hash.
    """
    file, found = checkpoint_file(path), read_checkpoint(path, sha256)
    state = load_safely(found.content, str(file), hashed=found.recorded)
    if "format" in state and "state" in state:
        raise NetworkError(f"{file}: is a checkpoint of a training, not a plain state dict; give it as checkpoint")
    if strange := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise NetworkError(f"{file}: is no plain state dict: {strange[0]!r} is no tensor")
    refuse_non_finite(state, str(file))
    published = list(PACKAGED.get(kind, {}).values())
    if published and is_published(state):
        state = from_published(state, str(file))
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    if kind.startswith(TORCHVISION):
        mean, std = IMAGENET
    elif published:
        mean, std = published[0].mean, published[0].std
    return Weights(file, found.sha256, state, mean, std)


def take_weights(body: nn.Module, weights: Weights) -> None:
    """Copy weights into `body`; the last layer keeps its own where it tells another number of classes apart.

    Raises
    ------
    NetworkError
        If they are not of this network; it names what differs.
    """
    own = {name: value for name, value in body.state_dict().items() if not name.endswith(EXTRA)}
    given = {name: value for name, value in weights.state.items() if isinstance(value, Tensor)}
    other = [name for name in own.keys() & given.keys() if own[name].shape != given[name].shape]
    layers = {name.rpartition(".")[0] for name in other}
    last = len(layers) <= 1 and all(own[name].shape[1:] == given[name].shape[1:] for name in other)
    if own.keys() != given.keys() or not last:
        raise NetworkError(f"{weights.file}: is no state dict of this network: {_differences(own, given)}")
    body.load_state_dict({name: value for name, value in given.items() if name not in other}, strict=False)


def _differences(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Return what is missing, what is too much, and what has another shape."""
    shapes = [
        f"{name} ({_sides(given[name])}, here {_sides(own[name])})"
        for name in own
        if name in given and own[name].shape != given[name].shape
    ]
    told = {
        "it lacks": [name for name in own if name not in given],
        "it has, and the network has not": [name for name in given if name not in own],
        "of another shape": shapes,
    }
    return "; ".join(f"{what} {_some(names)}" for what, names in told.items() if names)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _sides(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
