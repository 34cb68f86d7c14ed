"""The stages. A new one is a file of its own and a line in `AUGMENTATIONS`."""

from passband.pipeline.augment.augmix import AugMix
from passband.pipeline.augment.base import Stage, StageOptions, StageResult
from passband.pipeline.augment.corruption import Corrupt
from passband.pipeline.augment.deepfool import DeepFoolStage
from passband.pipeline.augment.draws import Draws
from passband.pipeline.augment.frequency import Dct, DctFlip, PhaseOnly, Radial, Svd
from passband.pipeline.augment.prime import Prime
from passband.pipeline.augment.sada import Sada
from passband.pipeline.augment.sparsefool import SparseFoolStage

AUGMENTATIONS: dict[str, type[Stage]] = {
    "radial": Radial,
    "dct": Dct,
    "dct_flip": DctFlip,
    "svd": Svd,
    "phase_only": PhaseOnly,
    "prime": Prime,
    "augmix": AugMix,
    "sada": Sada,
    "deepfool": DeepFoolStage,
    "sparsefool": SparseFoolStage,
    "corrupt": Corrupt,
}

__all__ = ["AUGMENTATIONS", "Draws", "Stage", "StageOptions", "StageResult"]
