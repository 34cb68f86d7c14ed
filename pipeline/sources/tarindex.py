"""Samples of a WebDataset shard: consecutive members of a tar that share a name up to its first dot."""

import io
import os
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.sources.base import SourceError

BLOCK = 512
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")  # key, then everything after the first dot
_HIDDEN = re.compile(r"(?:.*/)?\.(?!\.?/)[^/]*(?:/.*)?")  # some part of the path begins with a dot; ./ and ../ do not
_META = re.compile(r"(?:.*/)?__[^/]*__(?:[./].*)?")  # as WebDataset marks what is no sample: __x__, also with a dot

Skip = Callable[[str, str], None]
"""Called with a reason and a name for each member that is left out."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where the content of one file lies in its tar."""

    offset: int
    num_bytes: int


@dataclass(frozen=True, slots=True)
class TarSample:
    """Members of one sample by extension, in lower case; `name` is that of the first one in the tar."""

    key: str
    name: str
    members: dict[str, Member] = field(default_factory=dict)


def tar_samples(file: io.BufferedReader, path: Path, skip: Skip) -> Iterator[TarSample]:
    """Read the headers of an uncompressed tar, or of several in one file; contents are passed over.

    Links to members of the tar are read as what they stand for. Hidden members, ``__x__`` and names without an
    extension are skipped.

    Raises
    ------
    SourceError
        Not a tar, compressed, damaged or cut short; a sparse member or one that is no file; two of one extension.
    """
    sample, links = TarSample("", ""), _Links(path)
    for info in _infos(file, path):
        reason, match = _why_skipped(info.name), _NAME.fullmatch(info.name.removeprefix("./"))
        if reason or match is None:
            skip(reason or "no KEY.EXTENSION", plain_name(info.name))
            continue
        member = links.member(info)
        key, extension = match[1], match[2].lower()
        if key != sample.key:
            if sample.members:
                yield sample
            sample = TarSample(key, info.name)
        if extension in sample.members:
            raise SourceError(f"source webdataset: {path.name} holds {info.name!r} twice")
        sample.members[extension] = member
    if sample.members:
        yield sample


def plain_name(name: str) -> str:
    """Return a member's name as a person would spell it, without the ``./`` that tar writes for a folder's content."""
    return "/".join(part for part in name.split("/") if part != ".")


def lies_apart(path: Path, sample: TarSample) -> bool:
    """Whether the tar holds more members of this sample, which do not follow upon those."""
    with path.open("rb") as file:
        matches = (_NAME.fullmatch(info.name.removeprefix("./")) for info in _infos(file, path))
        return sum(match is not None and match[1] == sample.key for match in matches) > len(sample.members)


def _why_skipped(name: str) -> str:
    if _HIDDEN.fullmatch(name):
        return "hidden"
    return "__x__, which is no sample's" if _META.fullmatch(name) or "__MACOSX" in name.split("/") else ""


class _Links:
    """Members by name, of a tar that turns out to hold links: only then are they kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Member | str] | None = None

    def member(self, info: tarfile.TarInfo) -> Member:
        """Return where the content of a member, or of what it links to, lies."""
        found = _member_or_target(info, self._path)
        if isinstance(found, str) and self._found is None:
            with self._path.open("rb") as file:
                self._found = {
                    posixpath.normpath(other.name): _member_or_target(other, self._path)
                    for other in _infos(file, self._path)
                    if other.isreg() or other.islnk() or other.issym()
                }
        seen: set[str] = set()
        while isinstance(found, str):
            if found in seen or self._found is None or found not in self._found:
                raise SourceError(
                    f"source webdataset: {self._path.name} holds {info.name!r}, a link to {found!r}, "
                    "which is no file in the same tar"
                )
            seen.add(found)
            found = self._found[found]
        return found


def _member_or_target(info: tarfile.TarInfo, path: Path) -> Member | str:
    if info.issparse():
        raise SourceError(
            f"source webdataset: {path.name} holds {info.name!r} as a sparse file, whose bytes do not lie in one "
            "piece; make the tar without --sparse"
        )
    if info.islnk():
        return posixpath.normpath(info.linkname)
    if info.issym():
        return posixpath.normpath(posixpath.join(posixpath.dirname(info.name), info.linkname))
    if not info.isreg():
        raise SourceError(f"source webdataset: {path.name} holds {info.name!r}, which is neither a file nor a link")
    return Member(info.offset_data, info.size)


def _infos(file: io.BufferedReader, path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield all members but folders, of one tar after the other: `cat a.tar b.tar` leaves the ends in between."""
    start: int | None = 0
    while start is not None:
        file.seek(start)
        end = start
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                    end = tar.offset  # of the next header
                    if not info.isdir():
                        yield info
        except tarfile.TarError as error:
            raise SourceError(f"source webdataset: {path.name} is no uncompressed tar, or damaged: {error}") from error
        if start > 0 and end == start:
            raise SourceError(f"source webdataset: {path.name} is damaged: bytes after its end, at {start}, are no tar")
        if os.pread(file.fileno(), BLOCK, end) != bytes(BLOCK):  # tarfile takes a damaged header for the end
            raise SourceError(f"source webdataset: {path.name} is damaged or cut short at byte {end}")
        start = _after_zeros(file, end)


def _after_zeros(file: io.BufferedReader, position: int, step: int = 2**16) -> int | None:
    """Return where the first block begins that is not all zeros, or None at the end of the file."""
    while content := os.pread(file.fileno(), step, position):
        zeros = len(content) - len(content.lstrip(b"\0"))
        if zeros < len(content):
            return position + zeros // BLOCK * BLOCK
        position += len(content)
    return None


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
