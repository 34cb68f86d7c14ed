"""Source ``webdataset``: tar shards in which an image and its class share a name up to the first dot."""

import glob
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

from pydantic import Field

from pipeline.sources.base import Entry, Source, SourceError
from pipeline.sources.labels import ClassIndex, LabelOptions, label_text
from pipeline.sources.local import checked_key, existing_path
from pipeline.sources.tarindex import Member, Skip, TarSample, lies_apart, read_member, tar_samples

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4")

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")  # as digits are written: 007 is a name


class WebDatasetOptions(LabelOptions):
    """Options of ``webdataset``."""

    path: str = Field(description="a folder of .tar files, one tar, or a pattern such as 'train-{000..009}.tar' or *")
    split: str = Field("", description="name of the split, such as train; it enters the random draws, not the path")
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
    Options = WebDatasetOptions
    options: WebDatasetOptions

    def __init__(self, options: WebDatasetOptions) -> None:
        super().__init__(options)
        self._shards = _shards(options.path)

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder, or the tar files."""
        if os.path.isdir(os.path.expanduser(self.options.path)):
            return (os.fspath(existing_path(self.kind, self.options.path)),)
        return tuple(os.fspath(path) for path in self._shards.values())

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
        return ClassIndex(self.kind, None, {label_text(self.kind, label, "") for _, _, _, label in samples})

    def entries(self) -> Iterator[Entry]:
        """List the samples shard by shard, in the order of the members."""
        self.skipped.clear()
        for shard, sample, image, label in self._samples(self.skipped.add):
            key = checked_key(self.kind, f"{shard}/{sample.key}")
            text = label_text(self.kind, label, f"sample {key}")
            yield Entry(key, self._index.index(text, f"sample {key}"), image.offset)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the image members, opening each shard once."""
        found = [b""] * len(entries)
        by_shard: dict[str, list[int]] = {}
        for position, entry in enumerate(entries):
            by_shard.setdefault(self._shard_of(entry.key), []).append(position)
        for shard, positions in sorted(by_shard.items()):
            path = self._shards[shard]
            with path.open("rb", buffering=0) as file:
                for position in sorted(positions, key=lambda position: entries[position].offset):
                    found[position] = read_member(file, entries[position].offset, path)
        return found

    def _shard_of(self, key: str) -> str:
        parts = key.split("/")
        for count in range(1, len(parts)):
            if (shard := "/".join(parts[:count])) in self._shards:
                return shard
        raise SourceError(f"source webdataset: {self.options.path!r} has no shard for the key {key!r}")

    def _samples(self, skip: Skip) -> Iterator[tuple[str, TarSample, Member, int | str]]:
        """Yield shard name, sample, image member and label."""
        for shard, path in self._shards.items():
            count, beside = 0, ""
            with path.open("rb") as file:
                for sample in tar_samples(file, path, partial(_skip_in, shard, skip)):
                    where = f"sample {shard}/{sample.key}"
                    if self._lies_beside(file, sample, where):
                        beside = sample.names[0]
                        skip("beside the samples", f"{shard}/{beside}")
                        continue
                    try:
                        yield shard, sample, self._image(sample, where), self._label(file, sample, where)
                    except _IncompleteError as error:
                        raise self._explained(error, path, sample, where) from error
                    count += 1
            if beside and not count:
                raise SourceError(
                    f"source webdataset: {path.name} holds files such as {beside!r}, but none with an extension that "
                    f"the option 'image' names: {', '.join(self.options.image)}"
                )

    def _lies_beside(self, file: io.BufferedReader, sample: TarSample, where: str) -> bool:
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
                f"source webdataset: {where} has {len(images)} images; it holds {', '.join(sample.members)}, "
                f"and the option 'image' asks for one of {', '.join(self.options.image)}"
            )
        return images[0]

    def _label(self, file: io.BufferedReader, sample: TarSample, where: str) -> int | str:
        """Return an integer where the JSON has one or the .cls member is one, a string otherwise."""
        extension, _, field = self.options.label.partition(":")
        member = sample.members.get(extension)
        if member is None:
            raise _IncompleteError(f"source webdataset: {where} has no .{extension}, where its class should stand")
        content = os.pread(file.fileno(), member.num_bytes, member.offset)
        try:
            text = content.decode().strip()
            label = json.loads(text)[field] if field else text
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise SourceError(f"source webdataset: {where} has no label {field!r} in its .{extension}") from error
        label_text(self.kind, label, where)  # raises for what is neither
        return int(label) if not field and _INTEGER.fullmatch(label) else label

    def _explained(self, error: SourceError, path: Path, sample: TarSample, where: str) -> SourceError:
        if not lies_apart(path, sample):
            return error
        return SourceError(
            f"source webdataset: {path.name} holds the members of {where} apart from one another; a sample's members "
            "must be adjacent: make the tar with `tar --sort=name`"
        )


class _IncompleteError(SourceError):
    """A sample that lacks a member; it may stand elsewhere in the tar."""


def _skip_in(shard: str, skip: Skip, reason: str, name: str) -> None:
    skip(reason, f"{shard}/{name}")


def _shards(path: str) -> dict[str, Path]:
    """Return the shards that `path` stands for, by name, sorted by name."""
    expanded = os.path.expanduser(path)
    if os.path.isdir(expanded):
        root = existing_path("webdataset", path)
        files = [item for item in root.rglob("*") if item.name.endswith((".tar", *_COMPRESSED)) and item.is_file()]
    elif os.path.exists(expanded) or not any(mark in path for mark in "{*?["):
        files = [existing_path("webdataset", path)]
        root = files[0].parent
    else:
        files = _matches(expanded)
        root = Path(os.path.commonpath([file.parent for file in files]))
    for file in files:
        if file.name.endswith(_COMPRESSED):
            raise SourceError(f"source webdataset: {file.name} is compressed; images are read at random, unpack it")
    if not files:
        raise SourceError(f"source webdataset: the folder {path!r} holds no .tar file")
    shards = {file.relative_to(root).as_posix().removesuffix(".tar"): file for file in files}
    for name in shards:
        if any(parent.as_posix() in shards for parent in Path(name).parents):
            raise SourceError(f"source webdataset: the shard {name!r} lies in a folder that has a shard's name")
    return dict(sorted(shards.items()))


def _matches(pattern: str) -> list[Path]:
    import braceexpand

    files: set[Path] = set()
    for part in braceexpand.braceexpand(pattern):
        matched = [Path(name).resolve() for name in glob.glob(part) if os.path.isfile(name)]
        if not matched:
            raise SourceError(f"source webdataset: no file matches {part!r}")
        files.update(matched)
    return sorted(files)
