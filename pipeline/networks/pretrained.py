"""Classifiers of torchvision, and published weights by name where they lie on disk; nothing is ever downloaded."""

import copy
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from passband.pipeline.hashed import read_hashed_file
from passband.pipeline.networks.checkpoint import NetworkError
from passband.pipeline.networks.efficientnet import from_published
from passband.pipeline.networks.names import TORCHVISION
from passband.pipeline.networks.packaged import packaged_weights
from passband.pipeline.networks.safe import load_safely, refuse_non_finite

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation that torchvision's own weights were trained with, but for a few that say otherwise."""
_HASHED_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth?$")
_INITIALIZED = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
"""What `build_network` draws the first weights of."""


@dataclass(frozen=True)
class Weights:
    """Published weights that lie on disk.

    Attributes
    ----------
    state : name in the network -> tensor
    mean, std : what images are normalised by, one number a channel; None where it is not known
    """

    file: Path
    sha256: str
    state: Mapping[str, Tensor]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None


def refuse_unknown(kind: str) -> str:
    """Return torchvision's name of a network; raise NetworkError where it has no such classifier."""
    from torchvision import models

    name = kind.removeprefix(TORCHVISION)
    if name not in models.list_models(module=models):  # detection and segmentation would fetch weights of a backbone
        raise NetworkError(f"{kind}: torchvision has no classifier of that name")
    return name


def torchvision_body(kind: str, num_classes: int) -> nn.Module:
    """Return a classifier of torchvision; raise NetworkError for one that cannot be told its number of classes."""
    from torchvision.models import get_model

    name = refuse_unknown(kind)
    try:
        body: nn.Module = get_model(name, weights=None, num_classes=num_classes)
    except (ValueError, TypeError, RuntimeError) as error:
        raise NetworkError(f"{kind}: cannot be built for {num_classes} classes: {error}") from error
    return body


def read_weights(kind: str, weights: str) -> Weights:
    """Read published weights of a network by their name.

    Those of torchvision lie in the folder in which torch hub keeps what was downloaded, those for a network of ours in
    an installed package.

    Parameters
    ----------
    weights : as torchvision names them, ``IMAGENET1K_V2``, or a key of `PACKAGED` there

    Raises
    ------
    NetworkError
        If there are no such weights, or their file is not there or not what its name says: that ends in the first
        digits of its sha256.
    """
    if not kind.startswith(TORCHVISION):
        return _read_packaged(kind, weights)
    entry = _entry(kind, weights)
    file, content, sha256 = _read(_file_name(kind, weights), f"{kind}: {weights}")
    state = load_safely(content, str(file), hashed=True)
    refuse_non_finite(state, str(file))
    mean, std = _normalization(entry)
    return Weights(file, sha256, state, mean, std)


def weights_digest(kind: str, weights: str) -> str:
    """Return the sha256 of published weights, of the file alone; raise as `read_weights` where it is another.

    It is kept for as long as the file has the same size and times.
    """
    if not kind.startswith(TORCHVISION):
        return packaged_weights(kind, weights)[1].sha256  # which `read_weights` holds the file to
    name, what = _file_name(kind, weights), f"{kind}: {weights}"
    file = _folder() / name
    try:
        status = file.stat()
    except OSError:
        return _read(name, what)[2]  # which tells why
    return _digest(name, what, str(file), (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


def _read_packaged(kind: str, weights: str) -> Weights:
    file, known = packaged_weights(kind, weights)
    try:
        found = read_hashed_file(file)
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror}") from error
    if found.sha256 != known.sha256:
        raise NetworkError(f"{file}: has sha256 {found.sha256}, {weights} has {known.sha256}; it is damaged or another")
    state = from_published(load_safely(found.content, str(file), hashed=True), str(file))
    refuse_non_finite(state, str(file))
    return Weights(file, known.sha256, state, known.mean, known.std)


@functools.lru_cache(8)
def _digest(name: str, what: str, _file: str, _state: tuple[int, ...]) -> str:
    return _read(name, what)[2]


def _file_name(kind: str, weights: str) -> str:
    return str(_entry(kind, weights).url.rpartition("/")[2])


def _folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _entry(kind: str, weights: str) -> Any:
    from torchvision.models import get_model_weights

    entries = get_model_weights(refuse_unknown(kind))
    if weights not in entries.__members__:
        allowed = ", ".join(entries.__members__) or "none"
        raise NetworkError(f"{kind}: torchvision has no weights {weights!r} for it; allowed: {allowed}")
    return entries[weights]


def _read(name: str, what: str) -> tuple[Path, bytes, str]:
    """Return a file of weights, its content and its sha256, compared with what its name says."""
    folder = _folder()
    file = folder / name
    try:
        found = read_hashed_file(file)
    except FileNotFoundError as error:
        raise NetworkError(
            f"{what} is the file {name}, which is not in {folder}; put it there, as nothing is downloaded"
        ) from error
    except OSError as error:
        raise NetworkError(f"{file}: cannot be read: {error.strerror}") from error
    wanted, sha256 = _HASHED_NAME.search(name), found.sha256
    if wanted is not None and not sha256.startswith(wanted[1]):
        raise NetworkError(f"{file}: has sha256 {sha256}, its name says {wanted[1]}...; it is damaged or another file")
    return file, found.content, sha256


def _normalization(entry: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    transforms = entry.transforms()
    mean, std = getattr(transforms, "mean", IMAGENET[0]), getattr(transforms, "std", IMAGENET[1])
    return tuple(map(float, mean)), tuple(map(float, std))


def refuse_untrainable(body: nn.Module, kind: str, *, given: bool) -> None:
    """Raise NetworkError for a network whose training would not be a function of its seed.

    Parameters
    ----------
    given : whether weights are loaded; else every one must be of a layer whose first weights are drawn here
    """
    drawing = (type(m).__name__ for m in body.modules() if float(getattr(m, "p", 0.0) or 0.0) > 0)
    if (name := next(drawing, None)) is not None:
        raise NetworkError(
            f"{kind}: has {name}, which draws from torch's global random state in every step, so that no training "
            "could resume; choose a network without, such as torchvision/resnet50"
        )
    known = {id(value) for m in body.modules() if isinstance(m, _INITIALIZED) for value in _own(m)}
    for name, value in [*body.named_parameters(), *body.named_buffers()]:
        if not given and id(value) not in known:
            raise NetworkError(f"{kind}: how {name} is to begin is not known here; give weights to begin from")
    lost = {name for name, _ in body.named_buffers()} - body.state_dict().keys()
    if lost:
        raise NetworkError(f"{kind}: computes {min(lost)} while it is built, which a checkpoint would not keep")


def try_out(body: nn.Module, kind: str, shape: Sequence[int], num_classes: int) -> None:
    """Raise NetworkError for images that a network cannot take, and for one that does not answer with logits."""
    trial = copy.deepcopy(body).to("meta").train()  # costs nothing there, and draws nothing
    try:
        logits = trial(torch.empty(2, *shape, device="meta"))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]
        raise NetworkError(f"{kind}: takes no images of shape {list(shape)}: {said}") from error
    if not isinstance(logits, Tensor) or logits.shape != (2, num_classes):
        raise NetworkError(f"{kind}: does not answer with {num_classes} logits an image while it is trained")


def _own(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]
