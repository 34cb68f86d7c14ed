"""Frequency-aware augmented image datasets, precomputed at scale.

The three packages beside this file are the folders of the repository: `passband.kernels`, `passband.pipeline` and
`passband.jobs`. What people use in their own code is here, and loaded when it is first asked for::

    from passband import open_stream

    for batch in open_stream("runs/mnist5k-prime", batch_size=256):
        ...
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from passband.pipeline.loading import Batch as Batch
    from passband.pipeline.loading import Stream as Stream
    from passband.pipeline.loading import open_stream as open_stream
    from passband.pipeline.networks.network import load_network as load_network

_HOMES = {
    "Batch": "passband.pipeline.loading",
    "Stream": "passband.pipeline.loading",
    "load_network": "passband.pipeline.networks.network",
    "open_stream": "passband.pipeline.loading",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("passband")
    if name not in _HOMES:
        raise AttributeError(f"module 'passband' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
