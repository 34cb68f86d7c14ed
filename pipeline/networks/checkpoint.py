"""Where the checkpoint of a training lies. Without torch, so that a job can be planned without it."""

from pathlib import Path

MODEL = "model.pt"
"""The trained network in a training's folder."""


def checkpoint_file(path: str | Path) -> Path:
    """Return the file that a checkpoint is named by: itself, or the ``model.pt`` of a training's folder."""
    return Path(path) / MODEL if Path(path).is_dir() else Path(path)
