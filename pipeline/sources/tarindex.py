"""Samples of a WebDataset shard: consecutive members of a tar that share a name up to its first dot."""

import errno
import io
import os
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from passband.pipeline.imagefiles.oversize import MAX_IMAGE_BYTES, stand_in
from passband.pipeline.sources.base import SourceError
from passband.pipeline.sources.limits import MAX_KEY_BYTES, plain, said, shown
from passband.pipeline.sources.regular import opened, pread_all

BLOCK = 512
_KIND = "webdataset"
_MAX_HEADER_BYTES = 2**20  # of what stands before a member: a long name, pax records; tarfile reads it whole
_MAX_MEMBERS = 1000  # of one sample
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


class Tar(io.BufferedReader):
    """An open tar, of which nothing but headers is read, and no header that is too long."""

    def read(self, size: int | None = -1) -> bytes:
        """Return bytes of headers; tarfile asks for as many as a header claims."""
        if size is None or size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size or 0:,} bytes; {_MAX_HEADER_BYTES:,} are read")
        return super().read(size)


@contextmanager
def opened_tar(path: Path) -> Iterator[Tar]:
    """Open a tar to look through its headers."""
    with opened(_KIND, path, path.name) as descriptor, Tar(io.FileIO(descriptor, closefd=False)) as file:
        yield file


@dataclass(frozen=True, slots=True)
class TarSample:
    """Members of one sample by extension, in lower case; `name` is that of the first one in the tar."""

    key: str
    name: str
    members: dict[str, Member] = field(default_factory=dict)


def tar_samples(file: Tar, path: Path, skip: Skip) -> Iterator[TarSample]:
    """Read the headers of an uncompressed tar, or of several in one file; contents are passed over.

    Links to members of the tar are read as what they stand for. Hidden members, ``__x__`` and names without an
    extension are skipped.

    Raises
    ------
    SourceError
        Not a tar, compressed, damaged or cut short; a sparse member or one that is no file; two of one extension; a
        header, a name or a sample that is larger than any.
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
            raise _refusal(path, f"holds {shown(info.name)} twice")
        if len(sample.members) == _MAX_MEMBERS:
            raise _refusal(path, f"holds more than {_MAX_MEMBERS:,} members of the sample {shown(key)}")
        sample.members[extension] = member
    if sample.members:
        yield sample


def plain_name(name: str) -> str:
    """Return a member's name as a person would spell it, without the ``./`` that tar writes for a folder's content."""
    return "/".join(part for part in name.split("/") if part != ".")


def lies_apart(path: Path, sample: TarSample) -> bool:
    """Whether the tar holds more members of this sample, which do not follow upon those."""
    with opened_tar(path) as file:
        matches = (_NAME.fullmatch(info.name.removeprefix("./")) for info in _infos(file, path))
        return sum(match is not None and match[1] == sample.key for match in matches) > len(sample.members)


def _why_skipped(name: str) -> str:
    if _HIDDEN.fullmatch(name):
        return "hidden"
    return "__x__, which is no sample's" if _META.fullmatch(name) or "__MACOSX" in name.split("/") else ""


class _Links:
    """What members that are links stand for; what they lead to is looked up once, where there are any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Member | str] | None = None

    def member(self, info: tarfile.TarInfo) -> Member:
        """Return where the content of a member, or of what it links to, lies."""
        found = _member_or_target(info, self._path)
        seen: set[str] = set()
        while isinstance(found, str):
            if found in seen or found not in self._targets:
                raise _refusal(
                    self._path, f"holds {shown(info.name)}, a link to {shown(found)}, which is no file in the same tar"
                )
            seen.add(found)
            found = self._targets[found]
        return found

    @property
    def _targets(self) -> dict[str, Member | str]:
        """Members by name, of those alone that a link names: a tar can have millions of others."""
        if self._found is None:
            named = {found for info in self._files() if isinstance(found := _member_or_target(info, self._path), str)}
            self._found = {
                name: _member_or_target(info, self._path)
                for info in self._files()
                if (name := posixpath.normpath(info.name)) in named
            }
        return self._found

    def _files(self) -> Iterator[tarfile.TarInfo]:
        with opened_tar(self._path) as file:
            yield from (info for info in _infos(file, self._path) if info.isreg() or info.islnk() or info.issym())


def _refusal(path: Path, fault: str) -> SourceError:
    return SourceError(f"source {_KIND}: {plain(path.name)} {fault}")


def _member_or_target(info: tarfile.TarInfo, path: Path) -> Member | str:
    if info.issparse():
        raise _refusal(
            path,
            f"holds {shown(info.name)} as a sparse file, whose bytes do not lie in one piece; make the tar without "
            "--sparse",
        )
    if info.islnk():
        return posixpath.normpath(info.linkname)
    if info.issym():
        return posixpath.normpath(posixpath.join(posixpath.dirname(info.name), info.linkname))
    if not info.isreg():
        raise _refusal(path, f"holds {shown(info.name)}, which is neither a file nor a link")
    return Member(info.offset_data, info.size)


def _infos(file: Tar, path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield all members but folders, of one tar after the other: `cat a.tar b.tar` leaves the ends in between."""
    start: int | None = 0
    while start is not None:
        file.seek(start)
        end = start
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                    if tar.offset < end + BLOCK:  # a negative size leads back
                        raise tarfile.ReadError("a member of negative size")
                    end = tar.offset  # of the next header
                    if not info.isdir():
                        _check(info, file, path)
                        yield info
        except (tarfile.TarError, RecursionError, ValueError, OverflowError) as error:  # but the first: sizes, text
            raise _refusal(path, f"is no uncompressed tar, or damaged: {said(error)}") from error
        if start > 0 and end == start:
            raise _refusal(path, f"is damaged: bytes after its end, at {start}, are no tar")
        if os.pread(file.fileno(), BLOCK, end) != bytes(BLOCK):  # tarfile takes a damaged header for the end
            raise _refusal(path, f"is damaged or cut short at byte {end}")
        start = _after_zeros(file, end)


def _check(info: tarfile.TarInfo, file: Tar, path: Path) -> None:
    """Refuse a name longer than any, and a size that does not stand where `read_member` will look for it."""
    if len(info.name) > MAX_KEY_BYTES:
        raise _refusal(path, f"holds the name {shown(info.name)}; a name has at most {MAX_KEY_BYTES:,} bytes")
    if "size" in info.pax_headers and info.isreg() and _own_size(file.fileno(), info.offset_data) != info.size:
        raise _refusal(
            path, f"holds {shown(info.name)} with its size in a pax header alone; make the tar with --format=gnu"
        )


def _own_size(descriptor: int, offset: int) -> int:
    """Return the size in the header just before `offset`; raise TarError if there is none."""
    header = os.pread(descriptor, BLOCK, offset - BLOCK) if offset >= BLOCK else b""
    return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").size


def _after_zeros(file: io.BufferedReader, position: int, step: int = 2**16) -> int | None:
    """Return where the first block begins that is not all zeros, or None at the end of the file."""
    while content := os.pread(file.fileno(), step, position):
        zeros = len(content) - len(content.lstrip(b"\0"))
        if zeros < len(content):
            return position + zeros // BLOCK * BLOCK
        following = _after_hole(file.fileno(), position + len(content))
        if following is None:
            return None
        position = following // BLOCK * BLOCK
    return None


def _after_hole(descriptor: int, position: int) -> int | None:
    """Return where the next bytes stand that the file system keeps, `position` at least, or None where it has no more.

    A file that claims 200 GB of zeros is looked through at once.
    """
    try:
        return max(position, os.lseek(descriptor, position, os.SEEK_DATA))
    except OSError as error:
        return None if error.errno == errno.ENXIO else position


def member_bytes(descriptor: int, offset: int, path: Path) -> int:
    """Return how many bytes `read_member` returns, about."""
    try:
        size = _own_size(descriptor, offset)
    except tarfile.TarError:
        return 0  # read_member says it
    return size if 0 <= size <= MAX_IMAGE_BYTES else 0


def read_member(descriptor: int, offset: int, path: Path) -> bytes:
    """Return the content that starts at `offset`, or what stands for an image that is too large.

    Its size stands in the header just before it.
    """
    try:
        size = _own_size(descriptor, offset)
    except tarfile.TarError as error:
        raise _refusal(path, f"has no member at byte {offset}; has it changed?") from error
    if size < 0 or offset + size > os.fstat(descriptor).st_size:
        raise _refusal(path, f"is cut short in the member at byte {offset}")
    if size > MAX_IMAGE_BYTES:
        return stand_in(size)
    content = pread_all(descriptor, size, offset)
    if len(content) < size:
        raise _refusal(path, f"is cut short in the member at byte {offset}")
    return content
