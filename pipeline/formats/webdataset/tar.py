"""The tar of a WebDataset shard, written and read member by member.

All headers are ustar with mtime, uid and gid 0 and mode 0644, so the bytes are a function of names and contents.
`tarfile` spends 30 microseconds on such a header; here a template is patched in 2.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Protocol

BLOCK = tarfile.BLOCKSIZE
_TEMPLATE = tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT)
_MODE_TO_GID, _MTIME, _REST = _TEMPLATE[100:124], _TEMPLATE[136:148], _TEMPLATE[156:]
_SUM = sum(_MODE_TO_GID + _MTIME + _REST) + 8 * ord(" ")  # a checksum counts its own field as spaces
_END = b"\0" * 2 * BLOCK
_MAX_SIZE = 8**11 - 1


def header(name: str, size: int) -> bytes:
    """Return the 512-byte ustar header of a regular file.

    Parameters
    ----------
    name : str
        At most 100 bytes in UTF-8.
    size : int
        Bytes; at most 8 GiB - 1.
    """
    encoded = name.encode()
    if not 0 < len(encoded) <= 100:
        raise ValueError(f"member name {name!r} has {len(encoded)} bytes; a ustar name has 1 to 100")
    if not 0 <= size <= _MAX_SIZE:
        raise ValueError(f"member {name!r} has {size} bytes; a ustar member has at most {_MAX_SIZE}")
    digits = b"%011o" % size
    checksum = b"%06o\0 " % (_SUM + sum(encoded) + sum(digits))
    return b"".join((encoded.ljust(100, b"\0"), _MODE_TO_GID, digits, b"\0", _MTIME, checksum, _REST))


class Writable(Protocol):
    """What a shard is written to."""

    def write(self, content: bytes, /) -> int:
        """Append `content`."""


class TarWriter:
    """Appends members to an open binary file; `close` adds the end-of-archive blocks."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self.bytes_written = 0

    def add(self, name: str, content: bytes) -> int:
        """Append one member and return the offset of its content in the archive."""
        start = self.bytes_written + BLOCK
        padding = -len(content) % BLOCK
        self._file.write(header(name, len(content)))
        self._file.write(content)
        self._file.write(b"\0" * padding)
        self.bytes_written = start + len(content) + padding
        return start

    def close(self) -> None:
        """Write the two zero blocks that end an archive, padded to tar's record of 10 KiB."""
        padding = -(self.bytes_written + len(_END)) % tarfile.RECORDSIZE
        self._file.write(_END + b"\0" * padding)
        self.bytes_written += len(_END) + padding


@dataclass(frozen=True, slots=True)
class StoredSample:
    """The members of one sample: field (what follows the first dot of the name) -> content."""

    index: int
    members: dict[str, bytes]


def read_samples(file: IO[bytes]) -> Iterator[StoredSample]:
    """Yield the samples of a shard in order; raise ValueError for a name that is not INDEX.FIELD."""
    current: StoredSample | None = None
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            digits, dot, field = member.name.partition(".")
            content = archive.extractfile(member)
            if not dot or not digits.isdecimal() or content is None:
                raise ValueError(f"member {member.name!r} is not INDEX.FIELD")
            if current is None or current.index != int(digits):
                if current is not None:
                    yield current
                current = StoredSample(int(digits), {})
            current.members[field] = content.read()
            archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header otherwise
    if current is not None:
        yield current
