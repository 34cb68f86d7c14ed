"""The stages. A new one is a file of its own and a line in `AUGMENTATIONS`."""

from pipeline.augment.base import Stage, StageOptions, StageResult
from pipeline.augment.draws import Draws

AUGMENTATIONS: dict[str, type[Stage]] = {}

__all__ = ["AUGMENTATIONS", "Draws", "Stage", "StageOptions", "StageResult"]
