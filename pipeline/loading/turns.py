"""Which epoch the next iteration of a dataset is, agreed by all workers of a DataLoader without a word between them.

A DataLoader starts its workers anew, or has them begin again, at every ``iter()``, and tells nobody. What is shared::

    word 0      revision: goes up whenever the position is set
    words 1, 2  the position that was set: epoch, and draws of it that are done
    words 3...  one for this process and one for every worker: (generation, revision, epoch) of what it began last

Only its owner writes a word after the first three, at once and as a whole. The epoch that a worker finds depends on
the words of *earlier* starts alone, so workers that begin at the same time find the same one, whoever is first.
"""

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.share import Share
from passband.pipeline.loading.shared import SharedWords

_HEAD = 3
_WORKERS = 1024
_EPOCH_BITS, _REVISION_BITS, _GENERATION_BITS = 24, 18, 21


class Turns:
    """The position from which a dataset's iterations count, and the epoch that each has begun."""

    def __init__(self, epoch: int, samples: int) -> None:
        self._shared = SharedWords(_HEAD + 1 + _WORKERS)
        self.move(epoch, samples)

    def move(self, epoch: int, samples: int) -> None:
        """Have the next iteration begin here."""
        words = self._shared.words
        words[1], words[2] = epoch, samples
        words[0] += 1

    def next(self, share: Share) -> tuple[int, int]:
        """Return epoch and draws done where the next iteration of `share` begins; see `begin`."""
        began = self._began()
        epoch, samples = self._shared.words[1:_HEAD].tolist()
        if began:
            generation = share.generation % (1 << _GENERATION_BITS)
            own = began.get(_place(share))
            siblings = [e for g, e in began.values() if share.is_worker and g == generation]
            if share.is_worker and own is not None and own[0] == generation:
                epoch = own[1] + 1  # the same process begins again
            elif siblings:
                epoch = max(siblings)
            else:
                epoch = max(e for _, e in began.values()) + 1
        return epoch, samples if epoch == self._shared.words[1] else 0

    def begin(self, share: Share, epoch: int) -> None:
        """Note that `share` has begun an iteration of `epoch`."""
        revision = int(self._shared.words[0]) % (1 << _REVISION_BITS)
        word = (share.generation % (1 << _GENERATION_BITS)) << _REVISION_BITS | revision
        self._shared.words[_HEAD + _place(share)] = word << _EPOCH_BITS | epoch % (1 << _EPOCH_BITS)

    @property
    def in_workers(self) -> bool:
        """Whether workers have begun an iteration since the position was set, so that only they know where it is."""
        return any(place > 0 for place in self._began())

    def _began(self) -> dict[int, tuple[int, int]]:
        """Return the (generation, epoch) of all that have begun since the position was set, by their places."""
        revision = int(self._shared.words[0]) % (1 << _REVISION_BITS)
        found = {}
        for place in self._shared.words[_HEAD:].nonzero()[0].tolist():
            word = int(self._shared.words[_HEAD + place])
            epoch, rest = word % (1 << _EPOCH_BITS), word >> _EPOCH_BITS
            if rest % (1 << _REVISION_BITS) == revision:
                found[place] = (rest >> _REVISION_BITS, epoch)
        return found


def _place(share: Share) -> int:
    if share.number >= _WORKERS:
        raise PassbandError(f"a dataset serves at most {_WORKERS} workers of a DataLoader; num_workers is {share.of}")
    return share.number + 1 if share.is_worker else 0
