"""Calls of the functions of `kernels.cuda`, from which every check of the kernels takes the launches that it looks at.

The cases are those that hold the backends to the reference, and a few of functions that are held to it elsewhere. A
function whose kernels none of them launches fails `test_launches.py`, so a new kernel cannot go unchecked.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from passband.kernels import cuda
from passband.kernels.cuda import plane
from passband.kernels.cuda.device import use
from passband.kernels.prime_steps import COLOR, IDENTITY, NOISE, SPATIAL, SPECTRAL
from tests.cuda_host.device import HostDevice
from tests.kernels.test_backends import CASES, Images
from tests.kernels.test_prime import make_steps

KEY = 0x0123456789ABCDEF
SMALL = ((2, 2, 7, 12), (1, 1, 33, 20))
"""Of sides that no kernel is made for."""
SQUARES = tuple((1, 2, side, side) for side in plane.LAYOUTS if side <= plane.DEFAULT_LIMIT)
LARGE = tuple((1, 1, side, side) for side in plane.LAYOUTS if side > plane.DEFAULT_LIMIT)
"""Of sides whose fused kernels are made only on demand."""


def _spectrum(images):
    """Return half spectra of no image: the mirror images in their edge columns disagree."""
    shape = (2, *images.shape[:3], images.shape[3] // 2 + 1)
    real, imaginary = images.rng.standard_normal(shape)
    return (real + 1j * imaginary).astype(np.complex64)


def _half(images, count=None):
    shape = (*images.shape[:3], images.shape[3] // 2 + 1)
    return images.rng.random(shape if count is None else shape[2:], dtype=np.float32)


def _words(images, columns):
    return images.rng.integers(0, 2**32, (*images.shape[:3], columns), np.uint32)


def _address(images, count):
    return KEY, np.arange(images.shape[0], dtype=np.uint32), 1, 2, count


def _steps(images, kinds, **changes):
    count = images.shape[0]
    kinds = np.broadcast_to(np.asarray(kinds), (count, *np.shape(kinds)))
    weights = images.rng.dirichlet(np.ones(kinds.shape[1] + 1), count).astype(np.float32)
    return images.uniform(), make_steps(kinds, weights=weights, **changes)


def _in_turn(images):
    return _steps(images, [[COLOR, SPATIAL, SPECTRAL, NOISE], [NOISE, IDENTITY, COLOR, SPECTRAL]])


PRIME = [
    _in_turn,
    lambda i: _steps(i, [[COLOR]], last=np.full((i.shape[0], 1, 1), 250)),
    lambda i: _steps(i, [[SPATIAL]], last=np.full((i.shape[0], 1, 1), 10100)),
    lambda i: _steps(i, [[SPECTRAL]], size=6),
]
OTHERS: dict[str, list[Callable[[Images], tuple[Any, ...]]]] = {
    "words": [lambda i: _address(i, 5)],
    "normals": [lambda i: _address(i, 6)],
    "fourier_basis": [lambda i: (*i.shape[2:], 1, 2)],
    "half_spectrum": [lambda i: (i.uniform(),)],
    "from_half_spectrum": [lambda i: (_spectrum(i), i.shape[3])],
    "amplitude_phase": [lambda i: (i.uniform(),)],
    "from_amplitude_phase": [lambda i: (_half(i), _half(i), i.shape[3])],
    "amplitude_gradient": [lambda i: (i.uniform(), _half(i))],
    "amplitude_step": [lambda i: (_half(i), _half(i), _half(i, 1), 0.3)],
    "scale_spectrum": [lambda i: (_spectrum(i), _half(i))],
    "ascend_spectrum": [lambda i: (_spectrum(i), i.uniform(), _half(i, 1), 0.3)],
    "symmetric_noise": [lambda i: (_words(i, i.shape[3]), 0.5)],
    "symmetric_signs": [lambda i: (_words(i, i.shape[3] // 2 + 1), i.shape[3])],
    "radial_rounded": [lambda i: (i.uniform(), 0, 4.5), lambda i: (i.uniform(), 2, np.inf)],
    "prime_views": PRIME,
    "prime_rounded": PRIME,
}


class Call(NamedTuple):
    """One call of a function of `kernels.cuda`; its arguments depend on nothing else."""

    name: str
    number: int
    shape: tuple[int, int, int, int]

    def __str__(self) -> str:
        return f"{self.name}-{self.number}-{'x'.join(map(str, self.shape))}"

    def run(self, device: HostDevice) -> list[np.ndarray]:
        """Return what it returns, as arrays of NumPy; squares of every side have their fused kernels meanwhile."""
        images = Images(np.random.default_rng(self.number), self.shape)
        arguments = {**CASES, **OTHERS}[self.name][self.number](images)
        with use(device), every_side_fused():
            result = getattr(cuda, self.name)(*arguments)
        return [device.asnumpy(array) for array in (result if isinstance(result, tuple) else (result,))]


@contextmanager
def every_side_fused() -> Iterator[None]:
    """Take the fused kernels of planes wherever there is one."""
    before = plane.set_fused_limit(max(plane.LAYOUTS))
    try:
        yield
    finally:
        plane.set_fused_limit(before)


def calls(shapes=(*SMALL, *SQUARES)) -> list[Call]:
    """Return every case of every function at every one of some shapes."""
    numbered = [(name, number) for name, cases in {**CASES, **OTHERS}.items() for number in range(len(cases))]
    return [Call(name, number, shape) for shape in shapes for name, number in numbered if hasattr(cuda, name)]
