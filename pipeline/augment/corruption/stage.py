"""Stage `corrupt`: each sample by a drawn corruption at a drawn severity."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.augment.base import Stage, StageResult
from pipeline.augment.corruption.catalog import CORRUPTIONS, EIGHT_BIT
from pipeline.augment.corruption.levels import truncated
from pipeline.augment.corruption.options import CorruptOptions
from pipeline.augment.corruption.tables import NAMES, TABLES, table_for
from pipeline.augment.draws import Draws

Images = NDArray[np.float32]
Integers = NDArray[np.int64]

CHOICE = 1
"""Purpose in the address of the words that choose type and severity; corruption k draws from chain 1 + k."""


class Corrupt(Stage):
    """One of the 15 common corruptions at severity 0 to 5 (Hendrycks & Dietterich 2019); in base it sets the severity.

    What is recorded for each sample: ``severity``, 0 for the image itself, and ``type``, the number of the corruption
    in the paper's order, gaussian_noise being 0; it is drawn at severity 0 too.

    Notes
    -----
    The published generators truncate to 8 bits, which makes an image half a level darker than rounding on average.
    Passband rounds to the nearest level, once, where a view is stored. ``rounding: truncate`` follows them for copies
    of the published data sets: every corrupted image is cut to the level below (a value that misses a level by less
    than 0.0002 of a step keeps it, so that rounding in float32 moves no pixel that was left alone), glass_blur cuts
    after its first blur, snow cuts its flakes before they are drawn out and rounds them after it, motion_blur is
    rounded, as ImageMagick does, and pixelate is Pillow's. jpeg_compression is Pillow's with either. Not followed:
    OpenCV's fixed-point coordinates in the affine part of elastic_transform, and ImageMagick's 16 bits.
    """

    name = "corrupt"
    version = 2
    Options = CorruptOptions
    options: CorruptOptions
    sets_severity: ClassVar[bool] = True

    def apply(self, images: Images, labels: Integers, draws: Draws) -> StageResult:
        """Corrupt a batch, in [0, 1]; labels are not used."""
        types, severities = self._choose(draws)
        result = images.copy()
        for number, severity in sorted(set(zip(types.tolist(), severities.tolist(), strict=True))):
            if severity:
                rows = np.flatnonzero((types == number) & (severities == severity))
                places = self.kernels.asarray(rows)
                result[places] = self._corrupt(images[places], number, severity, draws.select(rows))
        recorded = {"type": types.astype(np.uint8), "severity": severities.astype(np.uint8)}
        return StageResult(result, recorded, severities)

    def _choose(self, draws: Draws) -> tuple[Integers, Integers]:
        """Draw type and severity of each sample: the first two words of its own block."""
        words = draws.at(purpose=CHOICE).words(2)
        numbers = np.array([NAMES.index(name) for name in self.options.types])
        types = numbers[(words[:, 0].astype(np.uint64) * np.uint64(len(numbers)) >> np.uint64(32)).astype(np.intp)]
        if isinstance(self.options.severity, int):
            return types, np.full(len(types), self.options.severity)
        thresholds = np.array(self.options.severity.thresholds(), np.uint64)
        return types, np.searchsorted(thresholds, words[:, 1].astype(np.uint64), side="right").astype(np.int64)

    def _corrupt(self, images: Images, number: int, severity: int, draws: Draws) -> Images:
        """Corrupt images that share type and severity."""
        name, truncate = NAMES[number], self.options.rounding == "truncate"
        corruptions = CORRUPTIONS | EIGHT_BIT if truncate else CORRUPTIONS
        table = TABLES[self.options.table or table_for(*self.shape[1:])]
        corrupted = corruptions[name](images, table[name][severity - 1], draws.at(chain=1 + number), self.kernels)
        return truncated(corrupted) if truncate else np.clip(corrupted, 0, 1)
