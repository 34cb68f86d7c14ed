"""Weights and states that hold a number which is none."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def find_non_finite(state: Any, name: str = "") -> str | None:
    """Return the name of the first tensor in nested mappings and lists that holds NaN or infinity, with which of them.

    Parameters
    ----------
    name : of `state` itself, before the names within it
    """
    if isinstance(state, Tensor):
        return _told(state, name)
    parts: Sequence[tuple[Any, Any]] = []
    if isinstance(state, Mapping):
        parts = list(state.items())
    elif isinstance(state, list | tuple):
        parts = list(enumerate(state))
    found = (find_non_finite(value, f"{name}.{key}" if name else str(key)) for key, value in parts)
    return next((told for told in found if told is not None), None)


def _told(tensor: Tensor, name: str) -> str | None:
    if not (tensor.is_floating_point() or tensor.is_complex()) or bool(torch.isfinite(tensor).all()):
        return None
    return f"{name} holds {'NaN' if bool(torch.isnan(tensor).any()) else 'infinity'}"
