"""Checkpoints: all that a training must know to go on as if it had never stopped."""

import io
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import IntegrityError
from pipeline.store import LocalStore

FORMAT = 1
LAST = "checkpoint.pt"


def save_checkpoint(store: LocalStore, state: dict[str, Any]) -> None:
    """Write `state` under its one name; a crash at any byte leaves the checkpoint before."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT} | state, buffer)
    store.put(LAST, buffer.getvalue())


def load_checkpoint(store: LocalStore, device: torch.device) -> dict[str, Any] | None:
    """Return the state of the last checkpoint, or None before the first; raise IntegrityError if it is damaged."""
    path = Path(store.path(LAST))
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch answers damage with errors of pickle, zip and its own
        raise IntegrityError(f"{path}: cannot be read; delete it to begin the training anew: {error}") from error
    if state.get("format") != FORMAT:
        raise IntegrityError(f"{path}: has format {state.get('format')!r}, this version reads {FORMAT}")
    return state
