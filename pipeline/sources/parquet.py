"""Source ``parquet``: a column of encoded images and a column of labels, as Hugging Face writes them or plain.

A shuffled plan asks for rows all over the files, and Parquet can only be read by whole row groups: groups of about
100 images read fast, larger ones are read again and again.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from pydantic import Field

from passband.pipeline.sources.base import Entry, Source, SourceError
from passband.pipeline.sources.found import Wanted, find_files
from passband.pipeline.sources.labels import ClassIndex, Label, LabelOptions, checked_label, untyped_label
from passband.pipeline.sources.limits import plain
from passband.pipeline.sources.local import checked_key
from passband.pipeline.sources.parquet_classes import Names, common_names, huggingface_names, translation
from passband.pipeline.sources.parquet_files import check_columns, open_parquet, short_values
from passband.pipeline.sources.parquet_images import image_column, is_text, value_type
from passband.pipeline.sources.parquet_rows import ImageRows
from passband.pipeline.sources.regular import opened
from passband.pipeline.sources.splits import SPLIT_DESCRIPTION
from passband.pipeline.sources.walk import IGNORE_DESCRIPTION, Walk


class ParquetOptions(LabelOptions):
    """Options of ``parquet``."""

    places: ClassVar[frozenset[str]] = frozenset({"path", "ignore"})

    path: str = Field(
        description="a Parquet file, a folder whose .parquet files are read, sorted by path, or a pattern such as "
        "'train-{00..03}.parquet' or *; of a folder and of what matches, names with _ or . in front are left out"
    )
    split: str = Field("", description=SPLIT_DESCRIPTION)
    ignore: list[str] = Field(default=[], description=IGNORE_DESCRIPTION)
    image: str = Field(
        "image",
        description="column of encoded images: bytes, or a struct with a field 'bytes'; or of paths below the folder "
        "of the Parquet file",
    )
    label: str = Field(
        "label",
        description="column of labels: integers, which are indices, or names; absent from a file, the part "
        "COLUMN=VALUE of its path",
    )
    key: str | None = Field(None, description="column of unique keys; absent: the key is FILE:ROW")


class _ParquetWalk(Walk):
    """Leaves out what Spark and Hadoop write beside the data: ``_SUCCESS``, ``_metadata``, checksums."""

    def reason(self, name: str) -> str | None:
        """Say why `name` is left out, or None."""
        own = name.rpartition("/")[2]
        beside = (own.startswith("_") and "=" not in own) or own.endswith(".crc")
        return super().reason(name) or ("not data" if beside else None)


class Parquet(Source):
    """Rows of Parquet files; an entry's offset is its row in all files together."""

    kind = "parquet"
    decodes_files = True
    Options = ParquetOptions
    options: ParquetOptions

    def __init__(self, options: ParquetOptions) -> None:
        super().__init__(options)
        wanted = Wanted(self.kind, options.path, options.split, options.ignore, (".parquet",), _ParquetWalk)
        self._found = find_files(wanted, self.skipped)
        self._last: tuple[Any, Any] | None = None  # what tells the file that was opened last apart, and that file
        self.skipped.keep()

    @property
    def paths(self) -> tuple[str, ...]:
        """The file or folder, or the files that match."""
        roots = self._found.files.values() if self._found.root is None else (self._found.root,)
        return tuple(map(os.fspath, roots))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names: the option, else what Hugging Face's metadata says, else the distinct labels."""
        return self._index.names

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the choice of files and of the labels."""
        mapped = [plain(name) for name, own in self._own_indices.items() if own is not None]
        others = (f"{', '.join(mapped[:3])}: classes in another order, mapped by name",) if mapped else ()
        return (*self._found.warnings, *others, *self._index.warnings)

    @cached_property
    def _schemas(self) -> dict[str, Any]:
        """Arrow schema of each file."""
        return {name: self._open(path).schema_arrow for name, path in self._found.files.items()}

    @cached_property
    def _own_names(self) -> dict[str, Names]:
        """Class names in the metadata of each file."""
        column = self.options.label
        return {name: huggingface_names(schema.metadata, column, name) for name, schema in self._schemas.items()}

    @cached_property
    def _index(self) -> ClassIndex:
        given = self.options.classes
        if given is None:
            given = self._given_by_files()
        found = {label for _, _, label in self._labels()} if given is None else ()
        return ClassIndex(self.kind, given, found)

    def _given_by_files(self) -> list[str] | int | None:
        """Return the class names in the metadata; two classes where all labels are truth values."""
        import pyarrow as pa

        label = self.options.label
        kinds = {
            name: value_type(schema.field(label).type) if label in schema.names else pa.null()
            for name, schema in self._schemas.items()
        }
        if all(pa.types.is_boolean(kind) for kind in kinds.values()):
            return 2
        integers = [name for name, kind in kinds.items() if pa.types.is_integer(kind)]
        texts = [name for name, kind in kinds.items() if is_text(kind)]
        return common_names(self._own_names, integers, texts)

    @cached_property
    def _own_indices(self) -> dict[str, ClassIndex | None]:
        """Per file the classes that its integers are indices of, where they are not those of the source."""
        classes = self.classes
        if isinstance(self.options.classes, int):
            return dict.fromkeys(self._found.files)
        known: dict[tuple[str, ...], ClassIndex | None] = {}  # files mostly share one list
        found: dict[str, ClassIndex | None] = {}
        for file, own in self._own_names.items():
            listed = tuple(own or ())
            if listed not in known:
                names = translation(own, classes, file)
                known[listed] = None if names is None else ClassIndex(self.kind, names)
            found[file] = known[listed]
        return found

    def entries(self) -> Iterator[Entry]:
        """List the rows; only the label and key columns are read."""
        self.skipped.clear()
        row = 0
        for name, path in self._found.files.items():
            own = self._own_indices[name]
            for where, key, label in self._labels_of(name, path):
                named = own.names[own.index(label, where)] if own is not None and isinstance(label, int) else label
                yield Entry(key, self._index.index(named, where), row)
                row += 1

    def read(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the images, reading each row group once."""
        return self._rows.read([entry.offset for entry in entries])

    def sizes(self, entries: Sequence[Entry]) -> list[int]:
        """Return what an image of the row group takes, on average."""
        return self._rows.sizes([entry.offset for entry in entries])

    @cached_property
    def _rows(self) -> ImageRows:
        files = map(self._open, self._found.files.values())
        described = ((image_column(file.schema_arrow, self.options.image), file.metadata) for file in files)
        return ImageRows(self._found.files, described, self._open)

    def _labels(self) -> Iterator[tuple[str, str, Label]]:
        for name, path in self._found.files.items():
            yield from self._labels_of(name, path)

    def _labels_of(self, name: str, path: Path) -> Iterator[tuple[str, str, Label]]:
        """Yield where it stands, key and label of each row of a file."""
        file = self._open(path)
        fixed = None if self.options.label in file.schema_arrow.names else untyped_label(self._folder_label(path) or "")
        wanted = [self.options.key] if fixed is not None else [self.options.label, self.options.key]
        columns = list({column for column in wanted if column is not None})
        row = 0
        for values in short_values(path, file, columns):
            nothing = [None] * len(next(iter(values.values())))
            labels = values.get(self.options.label, nothing) if fixed is None else [fixed] * len(nothing)
            keys = values.get(self.options.key, nothing) if self.options.key else nothing
            for label, key in zip(labels, keys, strict=True):
                where = f"{plain(name)}:{row}"
                if key is None and self.options.key:
                    raise SourceError(f"source parquet: {where} has no key")
                key = checked_key(self.kind, f"{name}:{row}" if key is None else str(key))
                yield where, key, checked_label(self.kind, label, where)
                row += 1

    def _folder_label(self, path: Path) -> str | None:
        """Return the label that stands in the path as COLUMN=VALUE, a partition as Hive and Spark write them."""
        start = f"{self.options.label}="
        values = [part.removeprefix(start) for part in path.parent.parts if part.startswith(start)]
        return unquote(values[-1]) if values and values[-1] != "__HIVE_DEFAULT_PARTITION__" else None

    def _open(self, path: Path) -> Any:
        """Open a file and check that it has the columns; the last one stays open, as it is asked for group by group."""
        with opened(self.kind, path, path.name) as descriptor:
            status = os.fstat(descriptor)
        identity = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if self._last is None or self._last[0] != identity:
            self._last = (identity, self._checked(path))
        return self._last[1]

    def _checked(self, path: Path) -> Any:
        file = open_parquet(path)
        wanted = (self.options.image, self.options.label, self.options.key)
        named = [column for column in wanted if column is not None]
        names = file.schema_arrow.names
        check_columns(path, names, [name for name in named if name in names or not self._in_path(name, path)])
        return file

    def _in_path(self, column: str, path: Path) -> bool:
        return column == self.options.label and self._folder_label(path) is not None
