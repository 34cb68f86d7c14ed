"""Intervals by the percentile bootstrap over samples (Efron 1979), seeded and without a sample in memory.

A resample of N samples with replacement enters a mean only by how often each distinct score was drawn, and these
counts are multinomial. So counts are drawn in place of N indices: the same distribution at a fraction of the cost.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from passband.jobs.evaluation.spec import Bootstrap

Floats = NDArray[np.float64]
_COUNTS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that resampling its samples gives."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Term:
    """A weighted mean over one set of samples: part of a sum.

    Attributes
    ----------
    scores : (N,) float64 or bool, N > 0
    population : str
        Terms of one population have the same samples in the same order; they are resampled together.
    """

    weight: float
    scores: Floats | NDArray[np.bool_]
    population: str


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the random numbers of one interval: a function of seed and name, whatever else is estimated."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")])


def resampled_means(scores: Floats | NDArray[np.bool_], resamples: int, rng: np.random.Generator) -> Floats:
    """Return the mean score of each of `resamples` resamples: (resamples,) float64; `scores` must not be empty."""
    values, counts = np.unique(scores, return_counts=True)
    chunk = max(1, _COUNTS_AT_ONCE // len(values))
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    shares = values.astype(np.float64) / len(scores)
    return np.concatenate([rng.multinomial(len(scores), counts / len(scores), size) @ shares for size in sizes])


def estimate_sum(terms: Sequence[Term], bootstrap: Bootstrap, rng: np.random.Generator) -> Estimate:
    """Return the sum of weighted means with its interval.

    As the statistic is linear, the terms of a population add up to one score a sample.
    """
    totals: dict[str, Floats] = {}
    for term in terms:
        scores = term.weight * term.scores.astype(np.float64)
        totals[term.population] = totals[term.population] + scores if term.population in totals else scores
    value = sum(float(scores.mean()) for scores in totals.values())
    drawn = sum(resampled_means(scores, bootstrap.resamples, rng) for scores in totals.values())
    return Estimate(value, *percentiles(np.asarray(drawn), bootstrap.confidence))


def estimate_lowest(groups: Sequence[NDArray[np.bool_]], bootstrap: Bootstrap, rng: np.random.Generator) -> Estimate:
    """Return the lowest mean of several groups with its interval; each group is resampled by itself."""
    drawn = np.stack([resampled_means(scores, bootstrap.resamples, rng) for scores in groups])
    lowest = min(float(scores.mean()) for scores in groups)
    return Estimate(lowest, *percentiles(drawn.min(axis=0), bootstrap.confidence))


def percentiles(drawn: Floats, confidence: float) -> tuple[float, float]:
    """Return the ends of the central interval that holds a share `confidence` of what was drawn."""
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
