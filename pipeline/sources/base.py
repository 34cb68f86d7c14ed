"""What a source is: labelled encoded images under stable keys."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from passband.pipeline.errors import PassbandError
from passband.pipeline.images import image_size, open_image
from passband.pipeline.options import StrictModel
from passband.pipeline.sources.skipped import Skipped

_PART_BYTES = 64 * 10**6


class SourceOptions(StrictModel):
    """Options of a source as they stand in a job file, without ``kind`` and ``domain``.

    Attributes
    ----------
    places : frozenset of str
        Options that say where and which the images are, not what is made of them: the fingerprint of the images tells
        all that these decide, and so they are no part of a dataset's identity.
    """

    places: ClassVar[frozenset[str]] = frozenset({"path"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One labelled image of a source.

    Attributes
    ----------
    key : str
        Unique in the source and stable between runs.
    label : int
        Index into the source's `classes`.
    offset : int
        Where the source finds the image again; its meaning is the source's own (row, byte, 0).
    domain : int
        Index into the source's `domains`; -1 where it has none.
    """

    key: str
    label: int
    offset: int
    domain: int = -1


class SourceError(PassbandError):
    """A source that cannot be used as asked; the message names it, what was given and what is needed."""


class Source(ABC):
    """Labelled images. Opening one is cheap; listing and reading happen when asked for.

    Parameters
    ----------
    options : SourceOptions
        An instance of the class's own ``Options``.

    Attributes
    ----------
    skipped : Skipped
        What the last listing left out, and why: complete once `entries` is exhausted.
    """

    kind: ClassVar[str]
    decodes_files: ClassVar[bool] = False
    """Whether its images are files that `pipeline.images` decodes."""
    has_domains: ClassVar[bool] = False
    """Whether it tells the domain of each image itself."""
    Options: ClassVar[type[SourceOptions]]

    def __init__(self, options: SourceOptions) -> None:
        self.options = options
        self.skipped = Skipped()

    @property
    def name(self) -> str:
        """Name that enters the address of every random draw; paths do not, so a moved folder draws the same."""
        return self.kind

    @property
    def split(self) -> str:
        """Split that enters the address of every random draw ("" where a source has none)."""
        return str(getattr(self.options, "split", ""))

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of its domains; an entry's domain is an index into them. None where the job names it, or nobody."""
        return ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Local folders or files that the source reads; a job's output may not lie inside one of them."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before a long run, a sentence each; complete once `entries` is exhausted."""
        return ()

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is an index into them."""

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """List the images in source order, holding no pixels."""

    @abstractmethod
    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the encoded bytes of `entries`, in their order.

        A source is free to read in another order inside; it must not hold more than these entries and a bounded
        cache. Entries need only `key` and `offset` here: a label of -1 is allowed.
        """

    def sizes(self, entries: Sequence[Entry]) -> list[int]:
        """Return about how many bytes `read` returns for each of `entries`; 0 where they are always few."""
        return [0] * len(entries)

    def parts(self, entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
        """Split `entries`, in their order, into runs that one call of `read` may return together: about 64 MB each."""
        begin, total = 0, 0
        for position, num_bytes in enumerate(self.sizes(entries)):
            if total and total + num_bytes > _PART_BYTES:
                yield entries[begin:position]
                begin, total = position, 0
            total += num_bytes
        if begin < len(entries):
            yield entries[begin:]

    def decode(self, encoded: bytes) -> Image.Image:
        """Return an RGB image; raise `BadImage` with the reason if it cannot be one."""
        return open_image(encoded)

    def image_size(self, encoded: bytes) -> tuple[int, int] | None:
        """Return the size (H, W) of the image that `decode` gives, without decoding it; None where that is unknown."""
        return image_size(encoded)
