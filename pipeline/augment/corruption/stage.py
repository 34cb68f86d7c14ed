"""Stage `corrupt`: each sample by a drawn corruption at a drawn severity (METHODS 5)."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.augment.base import (
    LARGE,
    ComputedMap,
    InputFile,
    InputFolder,
    Shape,
    Stage,
    StageResult,
    Workspace,
)
from passband.pipeline.augment.corruption.catalog import CORRUPTIONS, by_number
from passband.pipeline.augment.corruption.frost_textures import SCALES, FrostTextures
from passband.pipeline.augment.corruption.levels import truncated
from passband.pipeline.augment.corruption.options import CorruptOptions
from passband.pipeline.augment.corruption.tables import table_for
from passband.pipeline.augment.draws import Draws
from passband.pipeline.corruptions import TableName

Images = NDArray[np.float32]
Integers = NDArray[np.int64]

_TEXTURES = "frost_textures"
CHOICE = 1
"""Purpose in the address of the words that choose type and severity; corruption k draws from chain 1 + k."""


class Corrupt(Stage):
    """One of the 15 common corruptions at severity 0 to 5 (Hendrycks & Dietterich 2019); in base it sets the severity.

    What is recorded for each sample: ``severity``, 0 for the image itself, and ``type``, the number of the corruption
    in the paper's order, gaussian_noise being 0; it is drawn at severity 0 too.

    Notes
    -----
    Frost adds ice that is drawn, with the mean, the colour and the contrast of the published photographs; with
    ``frost_textures: FOLDER`` it adds crops of the images there, such as the published ones, see `FrostTextures`. They
    are kept with the dataset and enter its identity by their contents.

    The published generators truncate to 8 bits, which makes an image half a level darker than rounding on average.
    Passband rounds to the nearest level, once, where a view is stored. ``rounding: truncate`` follows them for copies
    of the published data sets: every corrupted image is cut to the level below (a value that misses a level by less
    than 0.0002 of a step keeps it, so that rounding in float32 moves no pixel that was left alone), glass_blur cuts
    after its first blur, snow cuts its flakes before they are drawn out and rounds them after it, motion_blur is
    rounded, as ImageMagick does, and pixelate is Pillow's. jpeg_compression is Pillow's with either. Not followed:
    OpenCV's fixed-point coordinates in the affine part of elastic_transform, and ImageMagick's 16 bits.

    Examples
    --------
    After the example of `Stage`: contrast at severity 2 halves every distance from the mean, by the table for images
    as small as these.

    >>> stage = Corrupt(CorruptOptions(types="contrast", severity=2), shape=shape, kernels=kernels)
    >>> result = stage.apply(images, labels, draws)
    >>> result.severity, (result.images.std(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))).round(3)
    (array([2, 2]), array([0.5, 0.5], dtype=float32))
    """

    name = "corrupt"
    version = 2
    since: ClassVar[Mapping[str, int]] = {"rounding": 2, "frost_textures": 2}
    Options = CorruptOptions
    options: CorruptOptions
    sets_severity: ClassVar[bool] = True

    @classmethod
    def inputs(cls, options: Any) -> dict[str, InputFile | InputFolder | ComputedMap]:
        """Return the folder of photographs for frost, where one is given."""
        return {} if options.frost_textures is None else {_TEXTURES: InputFolder(options.frost_textures)}

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return what the hungriest corruption holds: elastic_transform, or the copies of a batch of several types."""
        return Workspace(1.5, 3) if shape[1] * shape[2] > LARGE else Workspace(4, 5)

    @classmethod
    def check(cls, options: Any, shape: Shape) -> None:
        """Raise ValueError if corruptions of others have no number of their own, or no constants of the table."""
        by_number()
        table = _table(options, shape)
        without = [name for name in options.types if len(CORRUPTIONS[name].constants.get(table, ())) != 5]
        if without:
            raise ValueError(f"corruption {without[0]} does not have five constants for table {table}")

    @classmethod
    def check_inputs(cls, options: Any, shape: Shape, classes: Sequence[str], contents: Mapping[str, bytes]) -> None:
        """Raise ValueError if a photograph for frost cannot be read or is smaller than the images."""
        if options.frost_textures is not None:
            _read_textures(options, shape, contents)

    def __init__(
        self,
        options: CorruptOptions,
        *,
        shape: Shape,
        kernels: ModuleType,
        inputs: Mapping[str, bytes] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__(options, shape=shape, kernels=kernels, inputs=inputs, classes=classes)
        self._truncates, self._names = options.rounding == "truncate", by_number()
        self._functions = {
            name: (self._truncates and known.eight_bit) or known.function for name, known in CORRUPTIONS.items()
        }
        if options.frost_textures is not None:
            self._functions["frost"] = _read_textures(options, shape, inputs or {}).frost

    def apply(self, images: Images, labels: Integers, draws: Draws) -> StageResult:
        """Corrupt a batch, in [0, 1]; labels are not used."""
        types, severities = self._choose(draws)
        recorded = {"type": types.astype(np.uint8), "severity": severities.astype(np.uint8)}
        groups = sorted(set(zip(types.tolist(), severities.tolist(), strict=True)))
        if len(images) == 1 and severities[0]:  # perhaps a large one, of which no copies are made
            return StageResult(self._corrupt(images, *groups[0], draws), recorded, severities)
        result = images.copy()
        for number, severity in groups:
            if severity:
                rows = np.flatnonzero((types == number) & (severities == severity))
                places = self.kernels.asarray(rows)
                result[places] = self._corrupt(images[places], number, severity, draws.select(rows))
        return StageResult(result, recorded, severities)

    def _choose(self, draws: Draws) -> tuple[Integers, Integers]:
        """Draw type and severity of each sample: the first two words of its own block."""
        words = draws.at(purpose=CHOICE).words(2)
        numbers = np.array([CORRUPTIONS[name].number for name in self.options.types])
        types = numbers[(words[:, 0].astype(np.uint64) * np.uint64(len(numbers)) >> np.uint64(32)).astype(np.intp)]
        if isinstance(self.options.severity, int):
            return types, np.full(len(types), self.options.severity)
        thresholds = np.array(self.options.severity.thresholds(), np.uint64)
        return types, np.searchsorted(thresholds, words[:, 1].astype(np.uint64), side="right").astype(np.int64)

    def _corrupt(self, images: Images, number: int, severity: int, draws: Draws) -> Images:
        """Corrupt images that share type and severity."""
        name = self._names[number]
        constants = CORRUPTIONS[name].constants[_table(self.options, self.shape)][severity - 1]
        corrupted = self._functions[name](images, constants, draws.at(chain=1 + number), self.kernels)
        if self._truncates:
            return truncated(corrupted)
        own = isinstance(corrupted, np.ndarray) and not np.may_share_memory(corrupted, images)
        clipped: Images = np.clip(corrupted, 0, 1, out=corrupted if own else None)
        return clipped


def _table(options: CorruptOptions, shape: Shape) -> TableName:
    return options.table or table_for(*shape[1:])


def _read_textures(options: CorruptOptions, shape: Shape, contents: Mapping[str, bytes]) -> FrostTextures:
    prefix = f"{_TEXTURES}/"
    files = {role.removeprefix(prefix): content for role, content in contents.items() if role.startswith(prefix)}
    return FrostTextures(files, SCALES[_table(options, shape)], *shape[1:])
