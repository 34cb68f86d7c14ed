"""AugMix: chains of simple operations, mixed with the clean image.

Hendrycks, Mu, Cubuk, Zoph, Gilmer & Lakshminarayanan, "AugMix: a simple data processing method to improve robustness
and uncertainty", ICLR 2020; as torchvision's ``v2.AugMix(all_ops=False)`` has it, with our own draws; METHODS 4.
"""

import importlib.metadata
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from passband.pipeline.augment.augmix_names import BINS, OPERATIONS, SIGNED
from passband.pipeline.augment.base import LARGE, Shape, Stage, StageOptions, StageResult, Workspace
from passband.pipeline.augment.draws import Draws
from passband.pipeline.augment.prime_sampling import choose, flat_dirichlet

Floats = NDArray[np.float64]

# Purposes in the address of a draw. A chain's stream has its depth in block 0 and step s in block s + 1.
MIXTURE, CHAIN = 1, 2
DEEPEST = 3
"""Operations in a chain whose depth is drawn, at most."""


class AugMixOptions(StageOptions):
    """How strong the operations are, and how many chains of how many of them are mixed."""

    unused: ClassVar[Mapping[str, Any]] = {"mix": True}

    severity: int = Field(default=3, ge=1, le=BINS, description="magnitudes come from the first of ten equal bins")
    width: int = Field(default=3, ge=1, le=16, description="number of chains")
    depth: int = Field(default=-1, ge=-1, le=16, description="operations in a chain; -1: drawn, 1 to 3")
    mix: bool = Field(default=True, description="false: one chain by itself; width is then 1")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        """Make a view that is not mixed one chain."""
        return {"width": 1, **given} if isinstance(given, dict) and given.get("mix") is False else given

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.mix and self.width != 1:
            raise ValueError(f"width {self.width}: without mix a view is one chain; leave width out")
        return self

    @field_validator("depth")
    @classmethod
    def _check_depth(cls, depth: int) -> int:
        if depth == 0:
            raise ValueError("depth is 0; allowed: 1 to 16, or -1 to draw it from 1 to 3")
        return depth


class Chains(NamedTuple):
    """What is drawn for N samples of M chains of up to S operations.

    Attributes
    ----------
    share : (N,) float64
        Weight of all chains together, uniform: Beta(1, 1); 1 without mix.
    weights : (N, M) float64
        Of the chains among themselves: Dirichlet(1, .., 1).
    operations : (N, M, S) uint8
        Places in `OPERATIONS` plus 1; 0 past the chain's depth.
    bins : (N, M, S) int64
    negative : (N, M, S) bool
    """

    share: Floats
    weights: Floats
    operations: NDArray[np.uint8]
    bins: NDArray[np.int64]
    negative: NDArray[np.bool_]


def sample_chains(options: AugMixOptions, draws: Draws) -> Chains:
    """Draw everything, a fixed count of words."""
    mixture = draws.at(purpose=MIXTURE).uniforms(options.width)
    depth = DEEPEST if options.depth < 0 else options.depth
    chains = np.empty((len(draws.indices), options.width, depth + 1, 4))
    for m in range(options.width):
        chains[:, m] = draws.at(chain=m, purpose=CHAIN).uniforms(4 * (depth + 1)).reshape(-1, depth + 1, 4)
    drawn = choose(chains[:, :, :1, 0], 1, DEEPEST) if options.depth < 0 else depth
    steps = chains[:, :, 1:]
    operations = np.where(np.arange(depth) < drawn, choose(steps[..., 0], 1, len(OPERATIONS)), 0).astype(np.uint8)
    signed = np.array([False, *(name in SIGNED for name in OPERATIONS)])
    return Chains(
        share=mixture[:, 0] if options.mix else np.ones(len(mixture)),
        weights=flat_dirichlet(mixture[:, 1:]),
        operations=operations,
        bins=choose(steps[..., 1], 0, options.severity - 1),
        negative=signed[operations] & (steps[..., 2] < 0.5),
    )


class AugMix(Stage):
    """Mix the image with chains of simple operations (Hendrycks et al. 2020), drawn for every sample and view.

    What is recorded for each sample: ``share`` (1 minus the weight of the clean image), ``weights`` (clean image, then
    each chain), ``operations`` (chain, step; 1 to 9 as in `OPERATIONS`, 0 past the chain's depth) and ``magnitudes``
    (chain, step; NaN where there is none).

    Examples
    --------
    After the example of `Stage`: which operations made the first view, two in each of two chains.

    >>> stage = AugMix(AugMixOptions(width=2, depth=2), shape=shape, kernels=kernels)
    >>> recorded = stage.apply(images, labels, draws).recorded
    >>> [[OPERATIONS[number - 1] for number in chain] for chain in recorded["operations"][0]]
    [['autocontrast', 'translate_y'], ['autocontrast', 'translate_x']]
    >>> np.allclose(recorded["weights"].sum(axis=1), 1)
    True
    """

    name = "augmix"
    version = 1
    Options = AugMixOptions
    options: AugMixOptions
    environment_bound: ClassVar[bool] = True

    @classmethod
    def check(cls, options: Any, shape: Shape) -> None:
        """Raise ValueError unless images are grey or RGB: torchvision's operations take no others."""
        if shape[0] not in (1, 3):
            raise ValueError(f"images have {shape[0]} channels; allowed: 1 or 3")

    @classmethod
    def libraries(cls) -> dict[str, str]:
        """Return the versions of torch and torchvision."""
        return {name: importlib.metadata.version(name) for name in ("torch", "torchvision")}

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return the views, and what torch's operations hold: of large images, for one channel at a time."""
        return Workspace(1.5, 1.5 if shape[1] * shape[2] > LARGE else 6)

    def apply(self, images: NDArray[np.float32], labels: NDArray[np.int64], draws: Draws) -> StageResult:
        """Return one AugMix view of every sample, multiples of 1/255; labels are not used.

        Notes
        -----
        Images are rounded to 8 bits first, as the operations are defined there; those are torchvision's on the CPU,
        whatever the backend.
        """
        from passband.pipeline.augment.augmix_operations import magnitude_table, mix_chains  # torch
        from passband.pipeline.openmp import single_openmp_thread

        drawn = sample_chains(self.options, draws)
        table = np.concatenate([np.full((1, BINS), np.nan), magnitude_table(*self.shape[1:])])
        magnitudes = table[drawn.operations, drawn.bins]
        magnitudes = np.where(drawn.negative, -magnitudes, magnitudes)
        share = drawn.share.astype(np.float32)[:, None]
        weights = np.concatenate([1 - share, drawn.weights.astype(np.float32) * share], axis=1)
        pixels = self.kernels.to_host(self.kernels.to_uint8(images))
        with single_openmp_thread():
            for n in range(len(pixels)):
                mixed = mix_chains(pixels[n].transpose(2, 0, 1), drawn.operations[n], magnitudes[n], weights[n])
                pixels[n] = mixed.transpose(1, 2, 0)
        recorded = {
            "share": share[:, 0],
            "weights": weights,
            "operations": drawn.operations,
            "magnitudes": magnitudes.astype(np.float32),
        }
        return StageResult(self.kernels.to_float(pixels), recorded)
