"""Source ``webdataset``: tar shards in which an image and its class share a name up to the first dot."""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field

from passband.pipeline.sources.base import Entry, Source, SourceError
from passband.pipeline.sources.documents import DocumentError, json_field
from passband.pipeline.sources.found import Wanted, find_files
from passband.pipeline.sources.labels import ClassIndex, Label, LabelOptions, checked_label, untyped_label
from passband.pipeline.sources.limits import MAX_JSON_BYTES, MAX_LABEL_BYTES, plain, shown
from passband.pipeline.sources.local import checked_key, spelled
from passband.pipeline.sources.regular import opened, pread_all
from passband.pipeline.sources.splits import SPLIT_DESCRIPTION
from passband.pipeline.sources.tarindex import (
    Member,
    Skip,
    Tar,
    TarSample,
    lies_apart,
    member_bytes,
    opened_tar,
    plain_name,
    read_member,
    tar_samples,
)
from passband.pipeline.sources.walk import IGNORE_DESCRIPTION

T = TypeVar("T")
_MAX_TEXT_BYTES = 4 * MAX_LABEL_BYTES  # of a .cls member: a name, and blanks around it
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4")


class WebDatasetOptions(LabelOptions):
    """Options of ``webdataset``."""

    places: ClassVar[frozenset[str]] = frozenset({"path", "ignore"})

    path: str = Field(description="a folder of .tar files, one tar, or a pattern such as 'train-{000..009}.tar' or *")
    split: str = Field("", description=SPLIT_DESCRIPTION)
    ignore: list[str] = Field(default=[], description=IGNORE_DESCRIPTION)
    image: list[str] = Field(
        default=["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "ppm"],
        min_length=1,
        description="extensions (all after the first dot, in lower case) of which each sample has exactly one",
    )
    label: str = Field(
        "cls",
        pattern="^(cls|json:.+)$",
        description="cls: the class is the text of the .cls member; json:FIELD: it is that field of the .json member",
    )


class WebDataset(Source):
    """Samples of local, uncompressed tar shards.

    Names that begin with a dot, ``__x__`` and files beside the samples, such as a README, are skipped and counted.
    Keys are shard/key, the shard being its file's path below the folder, without ``.tar``. An entry's offset is the
    byte at which the image starts in its tar.
    """

    kind = "webdataset"
    decodes_files = True
    Options = WebDatasetOptions
    options: WebDatasetOptions

    def __init__(self, options: WebDatasetOptions) -> None:
        super().__init__(options)
        wanted = Wanted(self.kind, options.path, options.split, options.ignore, (".tar", *_COMPRESSED))
        self._found = find_files(wanted, self.skipped)
        self.skipped.keep()
        self._shards = _shards(self._found.files)
        self._longest = max(map(len, self._shards))

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder, or the tar files."""
        if self._found.root is not None:
            return (os.fspath(self._found.root),)
        return tuple(os.fspath(path) for path in self._shards.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the choice of shards and of the labels."""
        return (*self._found.warnings, *self._index.warnings)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; without the option of that name, every shard is read through once."""
        return self._index.names

    @cached_property
    def _index(self) -> ClassIndex:
        given = self.options.classes
        if given is not None:
            return ClassIndex(self.kind, given)
        samples = self._samples(lambda reason, name: None)
        return ClassIndex(self.kind, None, {label for _, _, _, label in samples})

    def entries(self) -> Iterator[Entry]:
        """List the samples shard by shard, in the order of the members."""
        self.skipped.clear()
        for shard, sample, image, label in self._samples(self.skipped.add):
            key = checked_key(self.kind, f"{shard}/{sample.key}")
            yield Entry(key, self._index.index(label, f"sample {key}"), image.offset)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the image members, opening each shard once."""
        return self._by_shard(entries, b"", read_member)

    def sizes(self, entries: Sequence[Entry]) -> list[int]:
        """Return the sizes of the image members, by their headers."""
        return self._by_shard(entries, 0, member_bytes)

    def _by_shard(self, entries: Sequence[Entry], empty: T, look: Callable[[int, int, Path], T]) -> list[T]:
        """Return what `look` returns for each of `entries`, opening each shard once."""
        found = [empty] * len(entries)
        by_shard: dict[str, list[int]] = {}
        for position, entry in enumerate(entries):
            by_shard.setdefault(self._shard_of(entry.key), []).append(position)
        for shard, positions in sorted(by_shard.items()):
            path = self._shards[shard]
            with opened(self.kind, path, path.name) as file:
                for position in sorted(positions, key=lambda position: entries[position].offset):
                    found[position] = look(file, entries[position].offset, path)
        return found

    def _shard_of(self, key: str) -> str:
        end = key.find("/")
        while 0 < end <= self._longest:
            if (shard := key[:end]) in self._shards:
                return shard
            end = key.find("/", end + 1)
        raise SourceError(f"source webdataset: {spelled(self.options.path)} has no shard for the key {shown(key)}")

    def _samples(self, skip: Skip) -> Iterator[tuple[str, TarSample, Member, Label]]:
        """Yield shard name, sample, image member and label."""
        for shard, path in self._shards.items():
            count, beside = 0, ""
            with opened_tar(path) as file:
                for sample in tar_samples(file, path, partial(_skip_in, shard, skip)):
                    where = f"sample {plain(f'{shard}/{sample.key}')}"
                    if self._lies_beside(file, sample, where):
                        beside = plain_name(sample.name)
                        skip("beside the samples", f"{shard}/{beside}")
                        continue
                    try:
                        yield shard, sample, self._image(sample, where), self._label(file, sample, where)
                    except _IncompleteError as error:
                        raise self._explained(error, path, sample, where) from error
                    count += 1
            if beside and not count:
                raise SourceError(
                    f"source webdataset: {plain(path.name)} holds files such as {shown(beside)}, but none with an "
                    f"extension that the option 'image' names: {', '.join(self.options.image)}"
                )

    def _lies_beside(self, file: Tar, sample: TarSample, where: str) -> bool:
        """Whether a file, such as README.md, is no sample's: it stands alone, and is neither image nor label."""
        extension, _, field = self.options.label.partition(":")
        if len(sample.members) > 1 or sample.members.keys() & {*self.options.image, "cls"}:
            return False
        if extension not in sample.members:
            return True
        try:
            self._label(file, sample, where)
        except SourceError:
            return bool(field)  # JSON, but not of a sample
        return False

    def _image(self, sample: TarSample, where: str) -> Member:
        images = [sample.members[name] for name in self.options.image if name in sample.members]
        if len(images) != 1:
            raise _IncompleteError(
                f"source webdataset: {where} has {len(images)} images; it holds {plain(', '.join(sample.members))}, "
                f"and the option 'image' asks for one of {', '.join(self.options.image)}"
            )
        return images[0]

    def _label(self, file: Tar, sample: TarSample, where: str) -> Label:
        """Return an integer where the JSON has one or the .cls member is of digits, a string otherwise."""
        extension, _, field = self.options.label.partition(":")
        member = sample.members.get(extension)
        if member is None:
            raise _IncompleteError(f"source webdataset: {where} has no .{extension}, where its class should stand")
        most = MAX_JSON_BYTES if field else _MAX_TEXT_BYTES
        if member.num_bytes > most:
            raise SourceError(
                f"source webdataset: {where} has a .{extension} of {member.num_bytes:,} bytes; {most:,} are read"
            )
        content = pread_all(file.fileno(), member.num_bytes, member.offset)
        try:
            label = json_field(content, field) if field else untyped_label(content.decode().strip())
        except DocumentError as error:
            fault = f"has no label {shown(field)} in its .{extension}: {error}"
            raise SourceError(f"source webdataset: {where} {fault}") from error
        except ValueError as error:
            raise SourceError(f"source webdataset: {where} has no text in its .{extension}") from error
        return checked_label(self.kind, label, where)

    def _explained(self, error: SourceError, path: Path, sample: TarSample, where: str) -> SourceError:
        if not lies_apart(path, sample):
            return error
        return SourceError(
            f"source webdataset: {plain(path.name)} holds the members of {where} apart from one another; a "
            "sample's members must be adjacent: make the tar with `tar --sort=name`"
        )


class _IncompleteError(SourceError):
    """A sample that lacks a member; it may stand elsewhere in the tar."""


def _skip_in(shard: str, skip: Skip, reason: str, name: str) -> None:
    skip(reason, f"{shard}/{name}")


def _shards(files: dict[str, Path]) -> dict[str, Path]:
    """Return the files by the names of their shards, sorted; refuse what cannot be read at random."""
    for name, file in files.items():
        if name.endswith(_COMPRESSED):
            raise SourceError(
                f"source webdataset: {plain(file.name)} is compressed; images are read at random, unpack it"
            )
    shards = {name.removesuffix(".tar"): file for name, file in files.items()}
    for name in shards:
        if any(parent.as_posix() in shards for parent in Path(name).parents):
            raise SourceError(f"source webdataset: the shard {shown(name)} lies in a folder that has a shard's name")
    return dict(sorted(shards.items()))
