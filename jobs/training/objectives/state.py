"""States of objectives are taken back whole or not at all."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor


def restored(state: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Return copies of the entries of `state`, which must be like those of `current`; tensors on the same device.

    A tensor that is still empty takes one of any length.

    Raises
    ------
    ValueError
        If a key is missing or unknown, or a value is of another type, dtype or shape.
    """
    if state.keys() != current.keys():
        raise ValueError(f"the state has {sorted(state)}, this objective keeps {sorted(current)}")
    return {name: _taken(name, value, current[name]) for name, value in state.items()}


def _taken(name: str, value: Any, like: Any) -> Any:
    if type(value) is not type(like):
        raise ValueError(f"{name} is a {type(value).__name__}, this objective keeps a {type(like).__name__}")
    if not isinstance(like, Tensor):
        return value
    shape = like.shape if like.numel() else value.shape[:1]
    if value.dtype != like.dtype or value.shape != shape:
        raise ValueError(
            f"{name} is {value.dtype} {tuple(value.shape)}, this objective keeps {like.dtype} {tuple(shape)}"
        )
    return value.to(like.device, copy=True)
