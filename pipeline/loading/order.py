"""In which order an epoch hands out the samples: a pure function of (identity, number of draws, seed, epoch).

A draw is a sample, or one view of a sample where views are samples of their own.

Every permutation is a stable argsort of the raw 64-bit words of a Philox generator whose key is the sha256 of what
the order depends on. NumPy promises the words of a bit generator for ever; `Generator.permutation` it does not.
Neither the number of ranks nor the batch enters, so any topology walks through the same order.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.canonical import canonical_json
from passband.pipeline.errors import PassbandError

VERSION = 1
"""Enters every key: raise it when the same seed shall mean another order."""


@dataclass(frozen=True)
class Order:
    """The global order of a dataset's samples.

    Attributes
    ----------
    identity : str
        The dataset's, from its manifest.
    seed : int
    shuffle : bool
        False: stored order in every epoch.
    shards : (N,) int64, the shard of every sample, ascending
    window : int or None
        Shuffle the shards, then the samples within every `window` consecutive ones; None mixes all samples.
    balance : "group", "class", "group_class" or None
        What `strata` are.
    strata : (N,) int64 or None
        What to balance over: an epoch draws from the strata that exist in turn.
    views : int
        Draws of each sample in an epoch; those of row r are ``views * r`` to ``views * r + views - 1``.
    """

    identity: str
    seed: int
    shuffle: bool
    shards: NDArray[np.int64]
    window: int | None = None
    balance: str | None = None
    strata: NDArray[np.int64] | None = None
    views: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise PassbandError(f"seed is {self.seed!r}; it must be an integer")
        if self.window is not None and (not isinstance(self.window, int) or self.window < 1):
            raise PassbandError(f"window is {self.window!r}; it must be a number of shards, or None for all")
        if self.balance is not None and not self.shuffle:
            raise PassbandError(f"balance={self.balance!r} needs shuffle=True: stored order draws every sample once")
        if self.balance is not None and self.window is not None:
            raise PassbandError(f"balance={self.balance!r} draws from all shards; it cannot be had with a window")

    @property
    def num_draws(self) -> int:
        """Number of draws in an epoch."""
        return len(self.shards) * self.views

    def draws(self, epoch: int) -> NDArray[np.int64]:
        """Return the (num_draws,) draws of an epoch: rows, in stored order from 0, times `views`, plus the view.

        Without `strata` a permutation of all draws. With them there are as many, but a sample of a small stratum
        comes several times and one of a large stratum perhaps not at all.
        """
        number = self.num_draws
        if not self.shuffle:
            return np.arange(number)
        if self.strata is not None:
            return self._balanced(epoch, np.repeat(self.strata, self.views))
        words = self._words(number, epoch, "samples")
        if self.window is None:
            return np.argsort(words, kind="stable")
        stored = np.unique(self.shards)
        shuffled = np.argsort(self._words(len(stored), epoch, "shards"), kind="stable")
        place = np.empty_like(shuffled)
        place[shuffled] = np.arange(len(stored))
        windows = place[np.searchsorted(stored, self.shards)] // self.window
        return np.lexsort((words, np.repeat(windows, self.views)))

    def describe(self) -> dict[str, Any]:
        """Return what the order depends on, as JSON; streams that agree in it can continue each other."""
        return {
            "seed": self.seed,
            "dataset": self.identity,
            "num_samples": self.num_draws,
            "shuffle": self.shuffle,
            "window": self.window,
            "balance": self.balance,
        }

    def _balanced(self, epoch: int, strata: NDArray[np.int64]) -> NDArray[np.int64]:
        """Draw from the strata in turn, each through permutations of its own, the next when one is used up."""
        values, inverse, counts = np.unique(strata, return_inverse=True, return_counts=True)
        drawn = np.empty(len(strata), np.int64)
        for turn, value in enumerate(values.tolist()):
            members = np.flatnonzero(inverse == turn)
            places = np.arange(turn, len(strata), len(values))
            passes = -(-len(places) // int(counts[turn]))
            shuffled = [self._words(len(members), epoch, "stratum", value, number) for number in range(passes)]
            chosen = [np.argsort(words, kind="stable") for words in shuffled]
            drawn[places] = members[np.concatenate([np.empty(0, np.int64), *chosen])[: len(places)]]
        return drawn

    def _words(self, count: int, epoch: int, *purpose: str | int) -> NDArray[np.uint64]:
        address = [VERSION, self.identity, self.num_draws, self.seed, epoch, *purpose]
        key = int.from_bytes(hashlib.sha256(canonical_json(address)).digest()[:16], "little")
        return np.random.Philox(key=key).random_raw(count)
