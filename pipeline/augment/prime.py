"""PRIME: a few chains of maximum-entropy primitives, mixed with the clean image.

Modas, Rade, Ortiz-Jimenez, Moosavi-Dezfooli & Frossard, "PRIME: a few primitives can boost robustness to common
corruptions", ECCV 2022; METHODS 2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels.prime_steps import IDENTITY, PrimeSteps
from passband.pipeline.augment.base import LARGE, RoundedResult, Shape, Stage, StageResult, Workspace
from passband.pipeline.augment.draws import Draws
from passband.pipeline.augment.prime_options import PrimeOptions
from passband.pipeline.augment.prime_sampling import sample_steps


class Prime(Stage):
    """Stage `prime`: every sample and view draws its own chains.

    What is recorded for each sample: ``share`` (1 minus the weight of the clean image), ``weights`` (clean image,
    then each chain), ``primitives`` (chain, step; numbers as in `kernels.prime_steps`, 0 = identity or past the
    chain's depth) and ``strengths`` (chain, step; NaN where primitives is 0).

    Examples
    --------
    After the example of `Stage`: weights of an image and its chains add up to 1, and the second image comes out the
    same by itself.

    >>> stage = Prime(PrimeOptions(preset="cifar"), shape=shape, kernels=kernels)
    >>> result = stage.apply(images, labels, draws)
    >>> alone = stage.apply(images[1:], labels[1:], draws.select(np.array([1])))
    >>> np.allclose(result.recorded["weights"].sum(axis=1), 1), np.array_equal(alone.images, result.images[1:])
    (True, True)
    """

    name = "prime"
    version = 2
    Options = PrimeOptions
    options: PrimeOptions

    @classmethod
    def workspace(cls, options: Any, shape: Shape) -> Workspace:
        """Return the views, and what one of them is made with; large images are warped without a copy."""
        return Workspace(1, 3 if shape[1] * shape[2] > LARGE else 6)

    def apply(self, images: NDArray[np.float32], labels: NDArray[np.int64], draws: Draws) -> StageResult:
        """Return one PRIME view of every sample, in [0, 1] for images in [0, 1]; labels are not used."""
        steps, recorded = self._draw(draws)
        return StageResult(self.kernels.prime_views(images, steps), recorded)

    def apply_rounded(
        self, images: NDArray[np.float32], labels: NDArray[np.int64], draws: Draws
    ) -> RoundedResult | None:
        """Return the views as pixels, where the backend rounds in the kernel that makes them."""
        if not hasattr(self.kernels, "prime_rounded"):
            return None
        steps, recorded = self._draw(draws)
        pixels, first_bad = self.kernels.prime_rounded(images, steps)
        return RoundedResult(pixels, first_bad, recorded)

    def _draw(self, draws: Draws) -> tuple[PrimeSteps, dict[str, NDArray[Any]]]:
        steps, share = sample_steps(self.options, draws, min(self.shape[1:]), self.kernels.host_words)
        strengths = np.where(steps.kinds == IDENTITY, np.float32(np.nan), steps.strengths)
        recorded: dict[str, NDArray[Any]] = {
            "share": share.astype(np.float32),
            "weights": steps.weights,
            "primitives": steps.kinds,
            "strengths": strengths,
        }
        return steps, recorded
