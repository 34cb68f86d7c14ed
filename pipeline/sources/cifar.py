"""Sources ``cifar10`` and ``cifar100``: the published files, binary or of the Python version, from a local folder.

Both versions hold the same images in the same order: keys, labels and pixels do not tell which was read. A binary
record is its label bytes (CIFAR-10: the class; CIFAR-100: the coarse, then the fine class) and 3,072 bytes of
pixels: 32 rows of red, then green, then blue. The Python version's pickles are read without unpickling.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from passband.pipeline.images import BadImage
from passband.pipeline.sources.base import Entry, Source, SourceError, SourceOptions
from passband.pipeline.sources.cifar_pickle import Array, class_names, read_pickle
from passband.pipeline.sources.labels import checked_name
from passband.pipeline.sources.local import existing_path
from passband.pipeline.sources.regular import opened, small_content

_PIXELS = 3 * 32 * 32
_RECORDS_AT_ONCE = 1024
_MAX_FILE_BYTES = 10**9
_MAX_NAMES_BYTES = 2**16


class CifarOptions(SourceOptions):
    """Options of ``cifar10``."""

    path: str = Field(
        description="folder that holds the binary or the Python version: cifar-10-batches-bin or cifar-10-batches-py"
    )
    split: Literal["train", "test", "all"] = Field("train", description="train, test or all, as published")


class Cifar100Options(CifarOptions):
    """Options of ``cifar100``."""

    labels: Literal["fine", "coarse"] = Field("fine", description="fine (100 classes) or coarse (20 superclasses)")


class Cifar10(Source):
    """60,000 images of 32x32 in 10 classes; the encoded form of one is its 3,072 bytes, plane by plane."""

    kind = "cifar10"
    Options: ClassVar[type[SourceOptions]] = CifarOptions
    options: CifarOptions
    label_bytes: ClassVar[int] = 1
    files: ClassVar[dict[str, tuple[str, ...]]] = {
        "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
        "test": ("test_batch",),
    }

    def __init__(self, options: CifarOptions) -> None:
        super().__init__(options)
        self._root = existing_path(self.kind, options.path, folder=True)

    @property
    def paths(self) -> tuple[str, ...]:
        """The folder."""
        return (os.fspath(self._root),)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names from the published list beside the data."""
        return self._names("batches.meta.txt", "batches.meta", "label_names", 10)

    @property
    def label_position(self) -> int:
        """Which byte of a binary record is the label."""
        return 0

    @property
    def label_field(self) -> str:
        """Where a Python batch has the labels."""
        return "labels"

    def entries(self) -> Iterator[Entry]:
        """List the records file by file; an entry's offset is where its pixels start."""
        count = len(self.classes)
        splits = ("train", "test") if self.options.split == "all" else (self.options.split,)
        for stem in [stem for split in splits for stem in self.files[split]]:
            labels, start, stride = self._pickled(stem) if self._is_python else self._binary(stem)
            for row, label in enumerate(labels):
                if type(label) is not int or not 0 <= label < count:
                    shown = label if type(label) is int and abs(label) < 2**31 else "that is no class's index"
                    raise SourceError(f"source {self.kind}: record {row} of {self._batch(stem).name} has label {shown}")
                yield Entry(f"{self.kind}/{stem}/{row:05d}", label, start + row * stride)

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return 3,072 bytes an image."""
        found = [b""] * len(entries)
        for stem in sorted({entry.key.split("/")[1] for entry in entries}):
            path = self._batch(stem)
            with opened(self.kind, path, path.name) as descriptor:
                for position, entry in enumerate(entries):
                    if entry.key.split("/")[1] == stem:
                        found[position] = os.pread(descriptor, _PIXELS, entry.offset)
        return found

    def decode(self, encoded: bytes) -> Image.Image:
        """Return a 32x32 RGB image."""
        if len(encoded) != _PIXELS:
            raise BadImage(f"{len(encoded)} bytes instead of {_PIXELS}")
        planes = np.frombuffer(encoded, np.uint8).reshape(3, 32, 32)
        return Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))

    def image_size(self, encoded: bytes) -> tuple[int, int]:
        """Return the one size (H, W)."""
        return 32, 32

    @cached_property
    def _is_python(self) -> bool:
        """Whether the folder holds the Python version, and not the binary one."""
        stem = self.files["test"][0]
        return (self._root / stem).is_file() and not (self._root / f"{stem}.bin").exists()

    def _batch(self, stem: str) -> Path:
        return self._file(stem if self._is_python else f"{stem}.bin")

    def _binary(self, stem: str) -> tuple[list[int], int, int]:
        """Return the labels of a batch, where its first pixels stand, and from there to the next ones."""
        path, stride = self._batch(stem), self.label_bytes + _PIXELS
        labels: list[int] = []
        with opened(self.kind, path, path.name) as descriptor:
            while records := os.pread(descriptor, stride * _RECORDS_AT_ONCE, stride * len(labels)):
                if len(records) % stride:
                    raise SourceError(f"source {self.kind}: {path.name} is truncated, or has changed")
                labels.extend(records[self.label_position :: stride])
        return labels, self.label_bytes, stride

    def _pickled(self, stem: str) -> tuple[list[int], int, int]:
        content = self._unpickled(stem)
        labels, data = content.get(self.label_field), content.get("data")
        if not isinstance(labels, list) or not isinstance(data, Array) or data.place is None:
            raise SourceError(f"source {self.kind}: {stem} lacks 'data' or {self.label_field!r}")
        if data.shape != (len(labels), _PIXELS) or data.place.num_bytes != len(labels) * _PIXELS:
            raise SourceError(
                f"source {self.kind}: {stem} has {len(labels)} labels, and data of the shape {data.shape}"
            )
        return labels, data.place.offset, _PIXELS

    def _unpickled(self, name: str) -> dict[str, Any]:
        try:
            return read_pickle(self._file(name))
        except (ValueError, LookupError, TypeError) as error:
            raise SourceError(
                f"source {self.kind}: {name} is damaged, or no file of the Python version: {error}"
            ) from error

    def _file(self, name: str) -> Path:
        path = self._root / name
        if not path.is_file():
            raise SourceError(f"source {self.kind}: {self.options.path!r} lacks the file {name}")
        stride, num_bytes = self.label_bytes + _PIXELS, path.stat().st_size
        if name.endswith(".bin") and (num_bytes == 0 or num_bytes % stride):
            raise SourceError(
                f"source {self.kind}: {name} has {num_bytes} bytes, not a multiple of {stride}: "
                "it is truncated, or not of the binary version"
            )
        if num_bytes > _MAX_FILE_BYTES:
            raise SourceError(
                f"source {self.kind}: {name} has {num_bytes:,} bytes; at most {_MAX_FILE_BYTES:,} are read, six times "
                "the largest published file"
            )
        return path

    def _names(self, text: str, meta: str, field: str, count: int) -> tuple[str, ...]:
        """Return the class names from the binary version's text or from the Python version's `field`."""
        if self._is_python:
            found = self._unpickled(meta).get(field)
            names = class_names(found) if isinstance(found, list) else ()
        else:
            names = self._listed(text)
        name = meta if self._is_python else text
        if len(names) != count:
            raise SourceError(f"source {self.kind}: {name} holds {len(names)} class names, not {count}")
        if len(set(names)) < count:
            raise SourceError(f"source {self.kind}: {name} names a class twice")
        return tuple(checked_name(self.kind, found, name) for found in names)

    def _listed(self, name: str) -> tuple[str, ...]:
        content = small_content(self.kind, self._file(name), name, _MAX_NAMES_BYTES)
        try:
            return tuple(content.decode().split())
        except UnicodeDecodeError as error:
            raise SourceError(f"source {self.kind}: {name} is not valid UTF-8") from error


class Cifar100(Cifar10):
    """60,000 images of 32x32 in 100 classes or 20 superclasses."""

    kind = "cifar100"
    Options = Cifar100Options
    options: Cifar100Options
    label_bytes = 2
    files: ClassVar[dict[str, tuple[str, ...]]] = {"train": ("train",), "test": ("test",)}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names from the published list beside the data."""
        field = f"{self.options.labels}_label_names"
        return self._names(f"{field}.txt", "meta", field, 100 if self.options.labels == "fine" else 20)

    @property
    def label_position(self) -> int:
        """Which byte of a binary record is the label: coarse stands first."""
        return 1 if self.options.labels == "fine" else 0

    @property
    def label_field(self) -> str:
        """Where a Python batch has the labels."""
        return f"{self.options.labels}_labels"
