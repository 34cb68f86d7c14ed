"""From labelled images to verified shards: source, augment, shard, manifest, load."""

import importlib.util
from pathlib import Path


def _require_own_kernels() -> None:
    """Fail with one sentence when another distribution's ``kernels`` package is ahead of ours."""
    spec = importlib.util.find_spec("kernels")
    found = spec.origin if spec is not None else None
    if found is None or Path(found).resolve().parent.parent != Path(__file__).resolve().parent.parent:
        raise ImportError(
            f"Passband needs its own 'kernels' package beside 'pipeline', but Python finds {found!r}; "
            "install Passband in an environment of its own."
        )


_require_own_kernels()
