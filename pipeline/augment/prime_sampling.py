"""From words to PRIME's parameters: a fixed count of words each, no rejection, no library transcendental.

Legend: n samples, m chains, s steps.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.kernels import prime_steps
from passband.kernels.elementary import log, sin_pi
from passband.pipeline.augment.draws import Draws
from passband.pipeline.augment.prime_options import PrimeOptions

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
DrawWords = Callable[..., NDArray[np.uint32]]

# Purposes in the address of a draw. A chain's stream has its depth in block 0 and step s in block s + 1.
MIXTURE, CHAIN, NORMALS = 1, 2, 3

KINDS = {
    "identity": prime_steps.IDENTITY,
    "spectral": prime_steps.SPECTRAL,
    "spatial": prime_steps.SPATIAL,
    "color": prime_steps.COLOR,
    "noise": prime_steps.NOISE,
}


def choose(uniforms: Array, low: Any, high: Any) -> Integers:
    """Return integers on low..high (inclusive, arrays or scalars), uniform where `uniforms` in [0, 1] are."""
    # 1.0 itself, to which `arcsine` rounds a few of 2^32 words, belongs to the last.
    return np.minimum(low + np.floor(uniforms * (high - low + 1)).astype(np.int64), high)


def arcsine(uniforms: Array) -> Array:
    """Return Beta(1/2, 1/2) variates, in [0, 1]: sin^2(pi u / 2)."""
    root = sin_pi(uniforms / 2)
    return root * root


def integer_beta(uniforms: Array, a: int, b: int) -> Array:
    """Return Beta(a, b) variates, a and b integers: of a + b - 1 uniforms (last axis), the a-th smallest."""
    assert uniforms.shape[-1] == a + b - 1
    return np.sort(uniforms, axis=-1)[..., a - 1]


def flat_dirichlet(uniforms: Array) -> Array:
    """Return Dirichlet(1, .., 1) variates, one more than uniforms (last axis): the gaps between them, sorted."""
    ordered = np.sort(uniforms, axis=-1)
    return np.diff(ordered, axis=-1, prepend=0.0, append=1.0)


def temperature_range(cut: Integers, size: int) -> tuple[Array, Array]:
    """Return the least and the largest temperature of a deformation.

    T1 = 1 / (pi n^2 ln K), half a pixel of displacement; T2 = 4 / (pi^3 K^2 ln K), the largest without overhang, but
    at least T1. Petrini et al. 2021, "Relative stability toward diffeomorphisms", appendix A.
    """
    k = cut.astype(np.float64)
    inverse = 1 / log(k)
    low = inverse / (np.pi * size**2)
    return low, np.maximum(low, inverse * (4 / np.pi**3) / (k * k))


def mixture_weights(options: PrimeOptions, draws: Draws, words: DrawWords) -> tuple[Array, Array]:
    """Return the weights of the clean image and the chains, (n, m + 1), and the augmented share p, (n,)."""
    if not options.mix:
        alone = np.ones(len(draws.indices))
        return np.stack([1 - alone, alone], axis=1), alone
    at, width = draws.at(purpose=MIXTURE), options.width
    if options.beta is None:
        weights = flat_dirichlet(_uniforms(at, width, words))
        return weights, 1 - weights[:, 0]
    a, b = options.beta
    uniforms = _uniforms(at, width - 1 + a + b - 1, words)
    share = integer_beta(uniforms[:, width - 1 :], a, b)
    chains = flat_dirichlet(uniforms[:, : width - 1])
    return np.concatenate([1 - share[:, None], share[:, None] * chains], axis=1), share


def _uniforms(draws: Draws, count: int, words: DrawWords) -> Array:
    """Return `draws.uniforms`, from the words of a backend."""
    drawn = words(draws.key, draws.indices, draws.view, draws.stage, count).astype(np.float64)
    return (drawn + 0.5) * 2.0**-32


def sample_steps(
    options: PrimeOptions, draws: Draws, size: int, words: DrawWords
) -> tuple[prime_steps.PrimeSteps, Array]:
    """Draw everything but the normals.

    Parameters
    ----------
    options : PrimeOptions
    draws : Draws
    size : int
        min(H, W), for the temperatures.
    words : callable
        ``kernels.<backend>.host_words``: the same on every backend, some faster than others.

    Returns
    -------
    steps : PrimeSteps
    share : (n,) float64
        Weight of all chains together.
    """
    shape = len(draws.indices), options.width, options.depth
    stages = np.empty(shape[1:], np.uint32)
    chains = np.empty((*shape[:2], 4 * (options.depth + 1)))
    for m in range(options.width):
        chains[:, m] = _uniforms(draws.at(chain=m, purpose=CHAIN), 4 * (options.depth + 1), words)
        for s in range(options.depth):
            stages[m, s] = draws.at(chain=m, step=s, purpose=NORMALS).stage
    active = np.ones(shape, bool)
    if options.sampler == "released":
        active = np.arange(options.depth) < choose(chains[..., :1], 1, options.depth)
    uniforms = chains[..., 4:].reshape(*shape, 4)
    weights, share = mixture_weights(options, draws, words)
    kinds = _kinds(options, uniforms[..., 0], active)
    strengths, first, last = _parameters(options, kinds, uniforms[..., 1:], size)
    steps = prime_steps.PrimeSteps(
        draws.key,
        draws.indices,
        draws.view,
        stages,
        kinds,
        strengths.astype(np.float32),
        first.astype(np.int32),
        last.astype(np.int32),
        weights.astype(np.float32),
        options.spectral_size,
    )
    return steps, share


def _kinds(options: PrimeOptions, uniforms: Array, active: NDArray[np.bool_]) -> NDArray[np.uint8]:
    table = np.array([KINDS[name] for name in options.primitives], np.uint8)
    drawn = table[choose(uniforms, 0, len(table) - 1)]
    return np.where(active, drawn, np.uint8(prime_steps.IDENTITY))


def _parameters(
    options: PrimeOptions, kinds: NDArray[np.uint8], uniforms: Array, size: int
) -> tuple[Array, Integers, Integers]:
    """Return strengths, first and last of `PrimeSteps`, each (n, m, s), from three uniforms a step."""
    flat, uniforms = kinds.reshape(-1), uniforms.reshape(-1, 3)
    strengths = np.zeros(flat.size)
    first, last = np.zeros(flat.size, np.int64), np.zeros(flat.size, np.int64)
    for kind, largest in (
        (prime_steps.SPECTRAL, options.spectral_strength),
        (prime_steps.NOISE, options.noise_strength),
    ):
        at = np.flatnonzero(flat == kind)
        strengths[at] = largest * uniforms[at, 0]
    at = np.flatnonzero(flat == prime_steps.SPATIAL)
    strengths[at], last[at] = _spatial(options, uniforms[at], size)
    at = np.flatnonzero(flat == prime_steps.COLOR)
    strengths[at], first[at], last[at] = _color(options, uniforms[at])
    strengths *= options.strength
    return strengths.reshape(kinds.shape), first.reshape(kinds.shape), last.reshape(kinds.shape)


def _spatial(options: PrimeOptions, uniforms: Array, size: int) -> tuple[Array, Integers]:
    """Return sqrt(T) and the largest i^2 + j^2 of the modes."""
    low, high = options.spatial_cut_min, options.spatial_cut_max
    if options.sampler == "paper":
        cut = np.full(len(uniforms), high)
        t1, t2 = temperature_range(cut, size)
        return np.sqrt(t1) + uniforms[:, 0] * (np.sqrt(t2) - np.sqrt(t1)), cut * cut
    top = choose(uniforms[:, 0], min(low + 1, high), high)
    cut = choose(arcsine(uniforms[:, 1]), low, top)
    t1, t2 = temperature_range(cut, size)
    # sqrt(i^2 + j^2) < K + 1/2 is i^2 + j^2 <= K^2 + K
    return np.sqrt(t1 + arcsine(uniforms[:, 2]) * (t2 - t1)), cut * cut + cut


def _color(options: PrimeOptions, uniforms: Array) -> tuple[Array, Integers, Integers]:
    """Return the standard deviation, the first and the last frequency."""
    last = np.full(len(uniforms), options.color_cut)
    if options.sampler == "paper":
        sigma = np.sqrt(options.color_variance) * uniforms[:, 0]
    else:
        sigma = np.sqrt(options.color_variance * uniforms[:, 0])
        last = choose(uniforms[:, 1], 1, options.color_cut)
    if options.color_band is None:
        return sigma, np.ones_like(last), last
    first = choose(uniforms[:, 2], 1, last)
    return sigma, first, np.minimum(first + options.color_band - 1, last)
