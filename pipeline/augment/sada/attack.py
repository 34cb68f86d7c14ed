"""Algorithm 1 of SADA (METHODS 3.3) on half spectra: samples climb the surrogate's loss until its prediction turns.

Layouts: images (N, C, H, W); spectra (N, C, H, K), K = W//2 + 1; weights (H, K) in FFT layout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.attacks.compaction import Rows, work_off
from passband.pipeline.surrogate.model import Surrogate

Images = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Integers = NDArray[np.int64]
Signs = Callable[[Rows, int], Images]
"""(rows, step) -> random signs of these samples at this step, (len(rows), C, H, K)."""


@dataclass(frozen=True)
class Attack:
    """How samples climb.

    Attributes
    ----------
    weight : (H, K) float32
        M: how far each frequency goes.
    steps, step_size : T and delta
    signs : callable or None
        In place of the gradient's, for the ablation.
    """

    surrogate: Surrogate
    kernels: ModuleType
    weight: Images
    steps: int
    step_size: float
    signs: Signs | None = None

    def run(self, spectra: Spectra, labels: Integers, avoided: Integers) -> tuple[Images, NDArray[np.uint16]]:
        """Attack N samples.

        Parameters
        ----------
        spectra : (N, C, H, K) complex64
            Of the images to begin with; they are overwritten.
        labels : (N,) int64
            The loss is that of these.
        avoided : (N,) int64
            A sample is done when its prediction is another than this.

        Returns
        -------
        images : (N, C, H, W) float32 in [0, 1]
        taken : (N,) uint16
            Updates of each sample.
        """
        climb = _Climb(self, spectra, labels, avoided)
        work_off(climb.look, len(spectra), self.surrogate.batch, self.kernels)
        return climb.images, climb.taken


class _Climb:
    """The state of every sample of one attack; threads look at different rows at once."""

    def __init__(self, attack: Attack, spectra: Spectra, labels: Integers, avoided: Integers) -> None:
        self._attack, self._spectra, self._labels, self._avoided = attack, spectra, labels, avoided
        self.images = attack.kernels.empty((len(spectra), *attack.surrogate.shape))
        self.taken = np.zeros(len(spectra), np.uint16)

    def look(self, rows: Rows) -> Rows:
        """Look at samples once; keep the images of those that are done, and return the others, one step further."""
        attack, spectra = self._attack, self._pick(self._spectra, rows)
        images = attack.kernels.from_half_spectrum(spectra, attack.surrogate.shape[2])
        # After the last step nothing follows, whatever the surrogate would say.
        going = np.flatnonzero(self.taken[rows] < attack.steps)
        gradients = None
        if len(going):
            turned, gradients = self._judge(
                images if len(going) == len(rows) else self._pick(images, going), rows[going]
            )
            going = going[~turned]
        done = np.ones(len(rows), np.bool_)
        done[going] = False
        place = attack.kernels.asarray
        self.images[place(rows[done])] = np.clip(self._pick(images, done), 0, 1)
        if len(going):
            stepped = self._stepped(self._pick(spectra, going), rows[going], gradients)
            self._spectra[place(rows[going])] = stepped
            self.taken[rows[going]] += 1
        return rows[going]

    def _pick(self, array: NDArray[Any], rows: NDArray[Any]) -> NDArray[Any]:
        """Return rows of an array that lies where the kernels work."""
        picked: NDArray[Any] = array[self._attack.kernels.asarray(rows)]
        return picked

    def _judge(self, images: Images, rows: Rows) -> tuple[NDArray[np.bool_], Images | None]:
        """Return which samples the surrogate takes for something else, and the gradients of those it does not."""
        attack = self._attack
        if attack.signs is None:
            predictions, gradients = attack.surrogate.attack(images, self._labels[rows])
            turned = predictions != self._avoided[rows]
            return turned, self._pick(gradients, ~turned)
        return attack.surrogate.predict(np.clip(images, 0, 1)) != self._avoided[rows], None

    def _stepped(self, spectra: Spectra, rows: Rows, gradients: Images | None) -> Spectra:
        attack = self._attack
        if gradients is not None:
            ascended: Spectra = attack.kernels.ascend_spectrum(spectra, gradients, attack.weight, attack.step_size)
            return ascended
        assert attack.signs is not None
        steps, signs = self.taken[rows], attack.kernels.empty(spectra.shape)
        for step in sorted(set(steps.tolist())):
            signs[attack.kernels.asarray(steps == step)] = attack.signs(rows[steps == step], step)
        factors = np.float32(1) + np.float32(attack.step_size) * attack.weight * signs
        scaled: Spectra = attack.kernels.scale_spectrum(spectra, factors)
        return scaled
