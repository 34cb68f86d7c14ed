"""From a job to a plan: which samples, in which order, in which shard, frozen before anything is made.

A plan is a Parquet file with one row a sample and one row group a shard, so a worker reads just its own rows.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from passband.jobs.dataset.kept import Kept
from passband.jobs.dataset.spec import GenerateJob, ImageSection
from passband.kernels import philox
from passband.pipeline.augment.draws import PLAN_VIEW, stream_key
from passband.pipeline.errors import PassbandError
from passband.pipeline.images import enlarges
from passband.pipeline.layout import PLAN
from passband.pipeline.sources import Entry, Source
from passband.pipeline.sources.skipped import Omission
from passband.pipeline.store import Store

SCHEMA = pa.schema(
    [
        ("index", pa.uint32()),
        ("key", pa.string()),
        ("label", pa.int64()),
        ("domain", pa.int64()),  # the source's own number; where the job names it, the source's position; else -1
        ("source", pa.int16()),  # position in the job's list of sources
        ("offset", pa.int64()),
        ("sha256", pa.binary(32)),
    ]
)
_READ_AT_ONCE = 1024
_UNREAD = bytes(32)
"""Stands for the hash of an image that was not read."""
Progress = Callable[[int], None]


class PlanError(PassbandError):
    """A source that no plan can be made of: empty, or with duplicate keys, or with classes that do not agree."""


@dataclass(frozen=True)
class Listing:
    """What listing a source told beside its images.

    Attributes
    ----------
    name : the source's domain, or its kind
    skipped : what it left out, by reason
    warnings : what a person should know of it
    enlarged : how many of its images are smaller than what is stored, where that was asked for
    largest : pixels of its largest image, where that was asked for
    bytes : of its encoded images
    """

    name: str
    skipped: tuple[Omission, ...]
    warnings: tuple[str, ...]
    enlarged: int
    largest: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """The frozen list of samples of a job.

    Attributes
    ----------
    table : pyarrow.Table
        Rows by `SCHEMA`, in plan order.
    classes : class names; a label is an index into them
    fingerprint : str
        sha256 of every (key, label, domain, hash of the encoded bytes), in the order of the keys.
    domains : names of the domains that the source tells itself; none where the job names them
    listings : what each source left out and warned of, in the job's order
    kept : what was read of the images, as far as it was to be kept
    """

    table: pa.Table
    classes: tuple[str, ...]
    fingerprint: str
    domains: tuple[str, ...] = ()
    listings: tuple[Listing, ...] = ()
    kept: Kept = field(default_factory=Kept, compare=False, repr=False)

    @cached_property
    def class_counts(self) -> list[int]:
        """Images of each class, in the order of the labels."""
        found: NDArray[np.int64] = np.bincount(self.table["label"].to_numpy(), minlength=len(self.classes))
        return [int(count) for count in found]

    @property
    def empty_classes(self) -> list[str]:
        """Names of the classes without an image."""
        return [name for name, count in zip(self.classes, self.class_counts, strict=True) if not count]

    @property
    def largest(self) -> int:
        """Pixels of the largest image, where that was asked for."""
        return max((listing.largest for listing in self.listings), default=0)

    @property
    def source_bytes(self) -> int:
        """Bytes of all encoded images."""
        return sum(listing.bytes for listing in self.listings)

    @property
    def source_warnings(self) -> list[str]:
        """What the sources warn of, under their names where there are several."""
        several = len(self.listings) > 1
        return [f"{of.name}: {text}" if several else text for of in self.listings for text in of.warnings]


def random_key(sources: Sequence[Source], seed: int) -> int:
    """Return the 64-bit Philox key of a job: from its seed and the names and splits of its sources."""
    return stream_key(seed, "+".join(s.name for s in sources), "+".join(s.split for s in sources))


def make_plan(
    job: GenerateJob,
    progress: Progress = lambda samples: None,
    *,
    sizes: bool = False,
    kept: Kept | None = None,
    unread: bool = False,
) -> Plan:
    """List, hash and order the samples of a job.

    Every byte of the source is read once, so that a shard can tell when its input is no longer the one planned.
    Samples are sorted by the bytes of their key, then shuffled once: class-sorted shards ruin streaming.

    Parameters
    ----------
    sizes : whether to look at the sizes of the images too
    kept : what is read goes here as far as it fits; by default nothing is kept
    unread : whether to read no image: keys, labels and order are the same, and every hash is zero

    Raises
    ------
    PlanError, SourceError
    """
    sources = [entry.open() for entry in job.source]
    domains = [entry.domain for entry in job.source]
    classes = _common_classes(sources)
    kept = Kept() if kept is None else kept
    image = job.image if sizes else None  # to look at every header takes longer than to hash a small file
    listers = [
        _Lister(source, at, -1 if domain is None else at, _prefix(domain, len(sources)), image, kept, unread)
        for at, (source, domain) in enumerate(zip(sources, domains, strict=True))
    ]
    tables = [lister.table(progress) for lister in listers]
    table = pa.concat_tables(tables)
    if not len(table):
        raise PlanError(f"the source {', '.join(s.kind for s in sources)} has no images: there is nothing to make")
    if len(table) >= PLAN_VIEW:
        raise PlanError(f"the source has {len(table)} images; a plan holds fewer than 2^32 - 2")
    table = table.take(pc.sort_indices(table["key"]))  # Arrow compares strings by their UTF-8 bytes
    _refuse_duplicates(table["key"])
    _refuse_labels(table["label"], len(classes))
    fingerprint = _fingerprint(table)
    table = table.take(_shuffle(len(table), random_key(sources, job.seed)))
    table = table.add_column(0, SCHEMA.field("index"), pa.array(np.arange(len(table), dtype=np.uint32)))
    listings = tuple(
        Listing(
            domain or lister.source.kind,
            tuple(lister.source.skipped),
            lister.source.warnings,
            lister.enlarged,
            lister.largest,
            lister.read_bytes,
        )
        for lister, domain in zip(listers, domains, strict=True)
    )
    return Plan(table.cast(SCHEMA).combine_chunks(), classes, fingerprint, sources[0].domains, listings, kept)


def _prefix(domain: str | None, num_sources: int) -> str:
    return f"{domain}/" if num_sources > 1 else ""


def _common_classes(sources: Sequence[Source]) -> tuple[str, ...]:
    classes = sources[0].classes
    for source in sources[1:]:
        if source.classes != classes:
            raise PlanError(
                f"the sources do not agree on their classes: {sources[0].kind} has {shorten(classes)}, "
                f"{source.kind} has {shorten(source.classes)}"
            )
    return classes


def shorten(names: Sequence[str], most: int = 12) -> str:
    """Return the first names on one line, and how many are left."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def without_image(empty: Sequence[str], of: int) -> str:
    """Say which of how many classes have no image; nothing where all have some."""
    return f"no image in {len(empty):,} of {of:,} classes: {shorten(empty)}" if empty else ""


@dataclass
class _Lister:
    """Lists a source: a row an image, and how many of the images `image` enlarges; if `unread`, none is read."""

    source: Source
    position: int
    domain: int
    prefix: str
    image: ImageSection | None
    kept: Kept
    unread: bool
    enlarged: int = 0
    largest: int = 0
    read_bytes: int = 0

    def table(self, progress: Progress) -> pa.Table:
        chunks = [self._rows(chunk) for chunk in _chunks(self.source.entries(), _READ_AT_ONCE, progress)]
        return pa.Table.from_batches(chunks, schema=pa.schema(list(SCHEMA)[1:]))

    def _rows(self, entries: list[Entry]) -> pa.RecordBatch:
        hashes = [_UNREAD] * len(entries) if self.unread else self._hashes_of_parts(entries)
        columns: list[Any] = [
            pa.array([self.prefix + entry.key for entry in entries], pa.string()),
            pa.array([entry.label for entry in entries], pa.int64()),
            pa.array([self.domain if entry.domain < 0 else entry.domain for entry in entries], pa.int64()),
            pa.array(np.full(len(entries), self.position), pa.int16()),
            pa.array([entry.offset for entry in entries], pa.int64()),
            pa.array(hashes, pa.binary(32)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(SCHEMA)[1:]))

    def _hashes_of_parts(self, entries: list[Entry]) -> list[bytes]:
        return [sha256 for part in self.source.parts(entries) for sha256 in self._hashes(part)]

    def _hashes(self, entries: Sequence[Entry]) -> list[bytes]:
        images = self.source.read(entries)
        for entry, encoded in zip(entries, images, strict=True):
            self.kept.add(self.position, self.prefix + entry.key, encoded)
            self.read_bytes += len(encoded)
        if self.image is not None:
            for encoded in images:
                self._look(encoded, self.image)
        return [hashlib.sha256(encoded).digest() for encoded in images]

    def _look(self, encoded: bytes, image: ImageSection) -> None:
        size = self.source.image_size(encoded)
        if size is not None:
            self.largest = max(self.largest, size[0] * size[1])
            self.enlarged += image.size != "native" and enlarges(size, (image.size[0], image.size[1]), image.fit)


def _chunks(entries: Iterator[Entry], size: int, progress: Progress) -> Iterator[list[Entry]]:
    while chunk := list(islice(entries, size)):
        yield chunk
        progress(len(chunk))


def _refuse_duplicates(sorted_keys: pa.ChunkedArray) -> None:
    same = pc.equal(sorted_keys[1:], sorted_keys[:-1])
    repeated = sorted_keys[1:].filter(same).unique().to_pylist()
    if repeated:
        raise PlanError(f"{len(repeated)} keys stand more than once in the source: {shorten(repeated)}")


def _refuse_labels(labels: pa.ChunkedArray, num_classes: int) -> None:
    limits = pc.min_max(labels).as_py()
    if limits["min"] < 0 or limits["max"] >= num_classes:
        raise PlanError(f"labels run from {limits['min']} to {limits['max']}, but there are {num_classes} classes")


def _fingerprint(table: pa.Table) -> str:
    total = hashlib.sha256()
    for batch in table.select(["key", "label", "domain", "sha256"]).to_batches(max_chunksize=4096):
        for key, label, domain, sha256 in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            total.update(f"{key}\0{label}\0{domain}\0".encode() + sha256)
    return total.hexdigest()


def _shuffle(count: int, key: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Order of a plan: sort by one 64-bit Philox draw a position, ties in the order of the keys."""
    words = philox.words(key, np.arange(count, dtype=np.uint32), PLAN_VIEW, 0, 2).astype(np.uint64)
    return np.argsort(words[:, 0] << np.uint64(32) | words[:, 1], kind="stable")


def encode_plan(plan: Plan, samples_per_shard: int) -> bytes:
    """Return the plan as Parquet, a row group a shard."""
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, SCHEMA, compression="zstd", write_statistics=False) as writer:
        writer.write_table(plan.table, row_group_size=samples_per_shard)
    return sink.getvalue()


@dataclass(frozen=True)
class PlanRow:
    """One sample of the plan."""

    index: int
    key: str
    label: int
    domain: int
    source: int
    offset: int
    sha256: bytes


def read_rows(store: Store, footer: pq.FileMetaData, shard: int) -> list[PlanRow]:
    """Read the samples of one shard, in plan order; `footer` is that of the plan."""
    with store.open(PLAN) as file:
        rows = pq.ParquetFile(file, metadata=footer).read_row_group(shard).to_pylist()
    return [PlanRow(**row) for row in rows]
