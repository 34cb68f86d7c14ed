"""Random streams by address: (seed, source, split) and (plan index, view, stage, draw), nothing else.

The 32-bit `stage` word of an address is packed as ``position << 24 | chain << 16 | step << 8 | purpose``: the
position of the stage in its recipe, then what a stage needs below that (PRIME: chain, step, primitive).
"""

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from passband.kernels import philox

BASE_VIEW = 2**32 - 1
"""View number in the address of stages that are applied to the sample itself."""
PLAN_VIEW = 2**32 - 2
"""View number in the address of the shuffle that orders a plan."""


def stream_key(seed: int, source: str, split: str) -> int:
    """First 64 bits (big-endian) of the sha256 of the canonical JSON of [seed, source, split]."""
    text = json.dumps([seed, source, split], ensure_ascii=False, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@dataclass(frozen=True)
class Draws:
    """The streams of one batch at one stage.

    Parameters
    ----------
    key : int
        64 bits, from `stream_key`.
    indices : (N,) uint32
        Plan index of each sample.
    view, stage : int
        32 bits each.
    """

    key: int
    indices: NDArray[np.uint32]
    view: int
    stage: int = 0

    def at(self, *, position: int = 0, chain: int = 0, step: int = 0, purpose: int = 0) -> "Draws":
        """Return the streams below this address.

        Parameters
        ----------
        position, chain, step, purpose : int, 0..255
            0 leaves the part as it is; another value needs a part that is still 0.

        Raises
        ------
        ValueError
            If a part is not 0..255, or is given a second time: two such addresses could be one.
        """
        stage, parts = self.stage, {"position": position, "chain": chain, "step": step, "purpose": purpose}
        for (name, part), shift in zip(parts.items(), (24, 16, 8, 0), strict=True):
            given = self.stage >> shift & 255
            if not 0 <= part < 256:
                raise ValueError(f"{name} {part}: allowed are 0 to 255")
            if part and given:
                raise ValueError(f"{name} {part}: this address has {name} {given} already; allowed is 0")
            stage |= part << shift
        return Draws(self.key, self.indices, self.view, stage)

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Draws":
        """Return the streams of some of the samples."""
        return replace(self, indices=self.indices[rows])

    def words(self, count: int, draw: int = 0) -> NDArray[np.uint32]:
        """Return the first `count` 32-bit words of each stream: (N, count); four words share one `draw` number."""
        return philox.words(self.key, self.indices, self.view, self.stage, count, draw)

    def uniforms(self, count: int, draw: int = 0) -> NDArray[np.float64]:
        """Return `count` uniforms of each stream, in (0, 1): (word + 1/2) / 2^32, exact."""
        return (self.words(count, draw).astype(np.float64) + 0.5) * 2.0**-32
