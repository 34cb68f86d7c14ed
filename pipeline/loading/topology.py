"""Which part of the global order belongs to which batch of which rank."""

from collections.abc import Iterator
from dataclasses import dataclass

from passband.pipeline.errors import PassbandError


@dataclass(frozen=True)
class Slice:
    """One batch: global draws `begin` to `end`, of which this rank reads `start` to `stop`."""

    begin: int
    end: int
    start: int
    stop: int


@dataclass(frozen=True)
class Topology:
    """Rank r of W takes the r-th contiguous slice of every global batch of ``batch_size * W`` draws.

    Every rank gets the same number of batches. With `drop_last` the last, incomplete global batch is left out;
    without it, it is split over the ranks, whose sizes then differ by one at most and may be 0. Nothing is padded.
    """

    batch_size: int
    rank: int = 0
    world_size: int = 1
    drop_last: bool = True

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("world_size", 1), ("rank", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise PassbandError(f"{name} is {value!r}; it must be an integer of at least {least}")
        if self.rank >= self.world_size:
            raise PassbandError(f"rank is {self.rank}; with a world_size of {self.world_size} it is at most one less")

    @property
    def global_batch(self) -> int:
        """Draws of all ranks together in one step."""
        return self.batch_size * self.world_size

    def num_batches(self, num_draws: int) -> int:
        """Return how many batches every rank gets out of `num_draws`."""
        return num_draws // self.global_batch if self.drop_last else -(-num_draws // self.global_batch)

    def slices(self, begin: int, num_draws: int) -> Iterator[Slice]:
        """Yield this rank's batches of the draws from `begin`, wherever that lies, to `num_draws`."""
        for _ in range(self.num_batches(num_draws - begin)):
            end = min(begin + self.global_batch, num_draws)
            share, more = divmod(end - begin, self.world_size)
            start = begin + self.rank * share + min(self.rank, more)
            yield Slice(begin, end, start, start + share + (self.rank < more))
            begin = end
