"""Samples of a WebDataset shard: consecutive members of a tar that share a name up to its first dot."""

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.sources.base import SourceError

BLOCK = 512
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")  # key, then everything after the first dot


@dataclass(frozen=True, slots=True)
class Member:
    """Where the content of one file lies in its tar."""

    offset: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class TarSample:
    """Members of one sample by extension, in lower case."""

    key: str
    members: dict[str, Member] = field(default_factory=dict)


def tar_samples(file: io.BufferedReader, path: Path) -> Iterator[TarSample]:
    """Read the headers of an uncompressed tar; contents are skipped.

    Raises
    ------
    SourceError
        Not a tar, compressed, damaged or cut short; a member that is no sample's file; two of one extension.
    """
    sample = TarSample("")
    try:
        for info in _infos(file, path):
            match = _NAME.fullmatch(info.name.removeprefix("./"))
            if match is None or not info.isreg():
                raise SourceError(f"source webdataset: {path.name} holds {info.name!r}, which is no KEY.EXTENSION file")
            key, extension = match[1], match[2].lower()
            if key != sample.key:
                if sample.members:
                    yield sample
                sample = TarSample(key)
            if extension in sample.members:
                raise SourceError(f"source webdataset: {path.name} holds {info.name!r} twice")
            sample.members[extension] = Member(info.offset_data, info.size)
    except tarfile.TarError as error:
        raise SourceError(f"source webdataset: {path.name} is no uncompressed tar, or damaged: {error}") from error
    if sample.members:
        yield sample


def _infos(file: io.BufferedReader, path: Path) -> Iterator[tarfile.TarInfo]:
    end = 0
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            end = info.offset_data + -(-info.size // BLOCK) * BLOCK
            if not info.isdir():
                yield info
    if os.pread(file.fileno(), BLOCK, end) != bytes(BLOCK):  # tarfile takes a damaged header for the end
        raise SourceError(f"source webdataset: {path.name} is damaged or cut short at byte {end}")


def read_member(file: io.FileIO, offset: int, path: Path) -> bytes:
    """Return the content that starts at `offset`; its size stands in the header just before it."""
    header = os.pread(file.fileno(), BLOCK, offset - BLOCK) if offset >= BLOCK else b""
    try:
        size = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").size
    except tarfile.TarError as error:
        raise SourceError(f"source webdataset: {path.name} has no member at byte {offset}; has it changed?") from error
    content = os.pread(file.fileno(), size, offset)
    if len(content) < size:
        raise SourceError(f"source webdataset: {path.name} is cut short in the member at byte {offset}")
    return content
