"""Stages that filter by spatial frequency: radial, dct, dct_flip, svd, phase_only (METHODS 1). They draw nothing."""

import math
from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from passband.pipeline.augment.base import RoundedResult, Shape, Stage, StageResult, Workspace
from passband.pipeline.augment.draws import Draws
from passband.pipeline.augment.ranges import RangeOptions, to_range

Images = NDArray[np.float32]

# "inf" as text in dumps, since JSON has no infinity; in a job file `inf` is text too, `.inf` a number.
Radius = Annotated[
    float,
    Field(allow_inf_nan=True),
    BeforeValidator(lambda value: math.inf if value == "inf" else value),
    PlainSerializer(lambda value: "inf" if value == math.inf else value),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "inf"}]}),
]


class FilterStage(Stage):
    """A stage that is one filter and then the `range` option."""

    options: RangeOptions

    @abstractmethod
    def filter(self, images: Images) -> Images:
        """Return the filtered images, newly allocated and not clipped."""

    def apply(self, images: Images, labels: NDArray[np.int64], draws: Draws) -> StageResult:
        """Filter, then bring the result into the range that is stored."""
        assert self.options.range is not None  # its default was filled in
        return StageResult(to_range(self.filter(images), self.options.range))

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return the views, and the spectrum of a piece."""
        return Workspace(1, 3)

    @property
    def stores_float(self) -> bool:
        """Whether `range` is "float"."""
        return self.options.range == "float"


class RadialOptions(RangeOptions):
    """Which distances from zero frequency are kept: low <= d < high, in frequency bins."""

    low: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="keeps distances from here, in bins")
    high: Radius = Field(
        default=math.inf,
        description="up to, not including, here; inf: all the rest",
        json_schema_extra={"default": "inf"},
    )

    @property
    def keeps_zero_frequency(self) -> bool:
        """Whether distance 0 is kept."""
        return self.low == 0

    @model_validator(mode="after")
    def _check_order(self) -> "RadialOptions":
        if not self.low < self.high:  # false for NaN
            raise ValueError(f"high is {self.high}; allowed: above low, which is {self.low}")
        if self.low == 0 and self.high == math.inf:
            raise ValueError("low 0 and high inf keep every frequency; give low, high or both")
        return self


class Radial(FilterStage):
    """Low-, high- or band-pass by distance from zero frequency.

    A mask that keeps nothing is refused, since the view would be blank. One that keeps everything is allowed if
    `high` was given: sweeps over the radius go past the corner (24 and 28 at 32 x 32, Wang et al. 2020).

    Examples
    --------
    After the example of `Stage`: low- and high-pass add up to the image, and its mean is in the low-pass alone.

    >>> passes = RadialOptions(high=4.0, range="float"), RadialOptions(low=4.0, range="float")
    >>> low, high = (Radial(one, shape=shape, kernels=kernels).apply(images, labels, draws).images for one in passes)
    >>> np.allclose(low + high, images, atol=1e-5), np.allclose(high.mean(axis=(2, 3)), 0, atol=1e-5)
    (True, True)
    """

    options: RadialOptions
    name = "radial"
    Options = RadialOptions

    @classmethod
    def check(cls, options: RadialOptions, shape: Shape) -> None:
        """Raise ValueError if the mask keeps no frequency of images of `shape`."""
        _, height, width = shape
        d = np.sqrt(np.add.outer(np.arange(height // 2 + 1) ** 2, np.arange(width // 2 + 1) ** 2))
        if not ((options.low <= d) & (d < options.high)).any():
            raise ValueError(
                f"low {options.low} and high {options.high} keep no frequency of a {height} x {width} image, whose "
                f"distances from zero frequency run from 0 to {d.max():.2f}; allowed: a band that holds one of them"
            )

    def apply_rounded(self, images: Images, labels: NDArray[np.int64], draws: Draws) -> RoundedResult | None:
        """Return clipped pixels, where the backend rounds in the kernel that filters."""
        if self.options.range != "clip" or not hasattr(self.kernels, "radial_rounded"):
            return None
        return RoundedResult(*self.kernels.radial_rounded(images, self.options.low, self.options.high))

    def filter(self, images: Images) -> Images:
        """Apply `radial_filter`."""
        return self.kernels.radial_filter(images, self.options.low, self.options.high)


class DctOptions(RangeOptions):
    """Which corner of the DCT is kept."""

    size: int = Field(ge=1, description="side of the square of coefficients that is kept, 1..min(H, W)")
    keep: Literal["low", "high"] = Field(description="low: the top-left square, high: the bottom-right one")

    @property
    def keeps_zero_frequency(self) -> bool:
        """Whether coefficient (0, 0) is kept; a high square of the whole image, which also keeps it, counts as high."""
        return self.keep == "low"


class Dct(FilterStage):
    """Keep the lowest or the highest square of DCT coefficients.

    Examples
    --------
    After the example of `Stage`: the lowest coefficient by itself is the mean of the image.

    >>> stage = Dct(DctOptions(size=1, keep="low"), shape=shape, kernels=kernels)
    >>> view = stage.apply(images, labels, draws).images
    >>> np.allclose(view, images.mean(axis=(2, 3), keepdims=True))
    True
    """

    options: DctOptions
    name = "dct"
    Options = DctOptions

    @classmethod
    def check(cls, options: DctOptions, shape: Shape) -> None:
        """Raise ValueError if the square does not fit into the spectrum of images of `shape`."""
        _check_most("size", options.size, min(shape[1:]), shape)

    def filter(self, images: Images) -> Images:
        """Apply `dct_filter`."""
        return self.kernels.dct_filter(images, self.options.size, self.options.keep)


class DctFlip(FilterStage):
    """Swap low and high frequencies by flipping the DCT.

    Examples
    --------
    After the example of `Stage`: what is flipped twice is the image again.

    >>> stage = DctFlip(DctFlip.Options(range="float"), shape=shape, kernels=kernels)
    >>> flipped = stage.apply(images, labels, draws).images
    >>> np.allclose(stage.apply(flipped, labels, draws).images, images, atol=1e-5)
    True
    """

    name = "dct_flip"
    Options = RangeOptions

    def filter(self, images: Images) -> Images:
        """Apply `dct_flip`."""
        return self.kernels.dct_flip(images)


class SvdOptions(RangeOptions):
    """Which singular components are kept."""

    rank: int = Field(ge=1, description="number of leading components, 1..min(H, W)")
    keep: Literal["leading", "trailing"] = Field(description="leading: these components, trailing: the others")

    @property
    def keeps_zero_frequency(self) -> bool:
        """Whether the leading components, which hold most of the brightness, are kept."""
        return self.keep == "leading"


class Svd(FilterStage):
    """Keep the leading singular components of each channel, or the others.

    Examples
    --------
    After the example of `Stage`: each view has the rank that was asked for.

    >>> stage = Svd(SvdOptions(rank=2, keep="leading", range="float"), shape=shape, kernels=kernels)
    >>> np.linalg.matrix_rank(stage.apply(images, labels, draws).images[:, 0])
    array([2, 2])
    """

    options: SvdOptions
    name = "svd"
    Options = SvdOptions
    environment_bound: ClassVar[bool] = True

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return what LAPACK decomposes in: three matrices in float64 beside the views."""
        return Workspace(2, 7)

    @classmethod
    def check(cls, options: SvdOptions, shape: Shape) -> None:
        """Raise ValueError if images of `shape` have too few components."""
        most = min(shape[1:])
        _check_most("rank", options.rank, most if options.keep == "leading" else most - 1, shape)

    def filter(self, images: Images) -> Images:
        """Apply `svd_filter`."""
        return self.kernels.svd_filter(images, self.options.rank, self.options.keep)


class PhaseOnly(FilterStage):
    """Keep the phase, replace the amplitude by its mean over each channel.

    Examples
    --------
    After the example of `Stage`: every frequency of a view has one amplitude, the mean of those of the image.

    >>> stage = PhaseOnly(PhaseOnly.Options(range="float"), shape=shape, kernels=kernels)
    >>> before, after = (np.abs(np.fft.fft2(x)) for x in (images, stage.apply(images, labels, draws).images))
    >>> np.allclose(after, before.mean(axis=(2, 3), keepdims=True), atol=1e-3)
    True
    """

    name = "phase_only"
    Options = RangeOptions

    def filter(self, images: Images) -> Images:
        """Apply `phase_only`."""
        return self.kernels.phase_only(images)


def _check_most(name: str, value: int, most: int, shape: Shape) -> None:
    if value > most:
        allowed = f"1 to {most}" if most else "none"
        raise ValueError(f"{name} is {value}; allowed for {shape[1]} x {shape[2]} images: {allowed}")
