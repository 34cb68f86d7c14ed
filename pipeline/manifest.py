"""Records and manifest: what is known of a dataset, and whether what is stored is still that.

A record is the last file of a shard to be written, so its presence means that the shard is done. The manifest holds
all records of a finished dataset and is the one file that a reader needs to open it.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipeline.errors import IntegrityError
from pipeline.options import StrictModel
from pipeline.store import Store

FORMAT = 1
MANIFEST = "manifest.json"
JOB = "job.yaml"
PLAN = "plan.parquet"
_CHUNK = 1 << 20


class StoredFile(StrictModel):
    """A file of the dataset by name, with what it must be."""

    name: str
    bytes: int
    sha256: str


class StoredInput(StoredFile):
    """A file beside the images that stages read, kept with the dataset.

    Attributes
    ----------
    reference : what names it in the job: its path, or for a computed map what it was computed from
    """

    reference: str


class BadSample(StrictModel):
    """A source image that could not be read: it left a gap in its shard."""

    index: int
    key: str
    reason: str


class ShardRecord(StrictModel):
    """What is known of a finished shard.

    Attributes
    ----------
    stage_seconds : dict
        Busy seconds of each step of the build: read, decode, every stage, encode, write.
    environment : str
        sha256 of the environment, which must be that of the dataset.
    processor : str
        Model name of the CPU that built it.
    device : str or None
        Model name of the GPU whose kernels did.
    notes : list of str
        What happened on the way that changed no byte, such as a batch that the device had no memory for.
    """

    format: int = FORMAT
    identity: str
    environment: str
    shard: int
    tar: StoredFile
    provenance: StoredFile
    samples: int
    group_counts: dict[str, int]
    class_counts: dict[str, int]
    bad: list[BadSample]
    stage_seconds: dict[str, float]
    seconds: float
    finished: float
    attempts: int
    worker: str
    processor: str
    device: str | None = None
    notes: list[str] = []


class ViewEntry(StrictModel):
    """A stored view: its number, name, recipe, and the field of its member in the shards."""

    number: int
    name: str
    field: str
    dtype: str
    recipe: list[dict[str, Any]]


class BetonFile(StoredFile):
    """The FFCV file, with a sha256 for every block so that a reader can check what it touches."""

    block_bytes: int
    blocks: list[str]


class ManifestShard(StrictModel):
    """One shard as the manifest lists it."""

    shard: int
    tar: StoredFile
    provenance: StoredFile
    record: StoredFile
    samples: int


class Manifest(StrictModel):
    """All of a finished dataset."""

    format: int = FORMAT
    name: str
    identity: str
    environment: dict[str, str]
    shape: list[int]
    encoding: str
    classes: list[str]
    domains: list[str]
    views: list[ViewEntry]
    samples: int
    group_counts: dict[str, int]
    class_counts: dict[str, int]
    bad: list[BadSample]
    shards: list[ManifestShard]
    inputs: list[StoredInput] = []
    beton: BetonFile | None = None


def record_name(shard: int) -> str:
    """Return the name of a shard's record below the output."""
    return f"records/{shard:06d}.json"


def provenance_name(shard: int) -> str:
    """Return the name of a shard's per-sample provenance below the output."""
    return f"records/{shard:06d}.parquet"


def shard_name(dataset: str, shard: int) -> str:
    """Return the name of a shard below the output."""
    return f"shards/{dataset}-{shard:06d}.tar"


def view_field(number: int, name: str, dtype: str, encoding: str, members: str) -> str:
    """Return the field of a view's member in the shards: what follows the sample's number and a dot.

    Parameters
    ----------
    members : "names" or "numbers"
        Whether members are called after the view's name or its number; view 0 is ``clean`` in both.
    """
    suffix = {"jpeg": "jpg"}.get(encoding, encoding)
    own = "clean" if number == 0 else name if members == "names" else f"view{number}"
    if dtype == "float16":
        return f"{own}.npy"
    return "views.npy" if suffix == "npy" else f"{own}.{suffix}"


def canonical_json(value: Any) -> bytes:
    """Return the one JSON spelling of `value`: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """Return the sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def readable_json(model: StrictModel) -> bytes:
    """Return a model as indented JSON, keys in the order of the model."""
    return (json.dumps(model.model_dump(), indent=1, ensure_ascii=False) + "\n").encode()


def read_record(store: Store, shard: int) -> ShardRecord:
    """Read one record; raise IntegrityError if it is not one or is another shard's."""
    name = record_name(shard)
    try:
        content = store.read(name)
    except FileNotFoundError as error:
        raise IntegrityError(f"{store.uri}/{name}: is missing") from error
    record = _parse(ShardRecord, content, f"{store.uri}/{name}")
    if record.shard != shard:
        raise IntegrityError(f"{store.uri}/{name}: is the record of shard {record.shard}, not of {shard}")
    return record


def read_manifest(store: Store) -> Manifest:
    """Read the manifest of a finished dataset; raise IntegrityError where there is none or it is damaged."""
    try:
        content = store.read(MANIFEST)
    except FileNotFoundError as error:
        raise IntegrityError(f"{store.uri}: no {MANIFEST}; the dataset is unfinished or this is not one") from error
    return _parse(Manifest, content, f"{store.uri}/{MANIFEST}")


def _parse(model: type[Any], content: bytes, where: str) -> Any:
    try:
        given = json.loads(content)
        if isinstance(given, dict) and given.get("format", FORMAT) != FORMAT:
            raise IntegrityError(f"{where}: has format {given['format']!r}, this version reads {FORMAT}")
        return model.model_validate(given)
    except (ValidationError, ValueError, RecursionError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise IntegrityError(f"{where}: is not a valid {model.__name__}: {first}") from error


def stored_file(store: Store, name: str) -> StoredFile:
    """Read `name` through and return its size and hash."""
    sha256, size = hashlib.sha256(), 0
    with store.open(name) as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            size += len(chunk)
    return StoredFile(name=name, bytes=size, sha256=sha256.hexdigest())


@dataclass(frozen=True)
class Problem:
    """Something that is not as recorded.

    Attributes
    ----------
    shard : int or None
        None where it concerns no single shard.
    name : str
        The file that is not as it should be.
    """

    shard: int | None
    name: str
    message: str


def check_file(store: Store, expected: StoredFile, shard: int | None, *, hashes: bool = True) -> Iterator[Problem]:
    """Yield a problem if a file is absent, has another size, or, with `hashes`, another hash than recorded."""
    where = f"{store.uri}/{expected.name}"
    if not store.exists(expected.name):
        yield Problem(shard, expected.name, f"{where}: is missing, but its record is there")
        return
    size = store.size(expected.name)
    if size != expected.bytes:
        yield Problem(shard, expected.name, f"{where}: has {size} bytes, its record says {expected.bytes}")
        return
    found = stored_file(store, expected.name).sha256 if hashes else expected.sha256
    if found != expected.sha256:
        yield Problem(shard, expected.name, f"{where}: sha256 is {found}, its record says {expected.sha256}")


def check_record(
    store: Store, record: ShardRecord, dataset: str, identity: str, environment: str, *, hashes: bool = True
) -> Iterator[Problem]:
    """Yield every problem of a shard that has a record: the record itself, the tar and the provenance.

    Without `hashes` the files' sizes are compared and their content is not read.
    """
    shard, name = record.shard, record_name(record.shard)
    for key, expected in (("identity", identity), ("environment", environment)):
        found = getattr(record, key)
        if found != expected:
            yield Problem(shard, name, f"{store.uri}/{name}: {key} {found} is not the dataset's {expected}")
    if (record.tar.name, record.provenance.name) != (shard_name(dataset, shard), provenance_name(shard)):
        yield Problem(shard, name, f"{store.uri}/{name}: names {record.tar.name} and {record.provenance.name}")
        return
    yield from check_file(store, record.tar, shard, hashes=hashes)
    yield from check_file(store, record.provenance, shard, hashes=hashes)


def merge_counts(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    """Add up counters with integer names, in the order of their names."""
    total: dict[str, int] = {}
    for counter in counts:
        for key, count in counter.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items(), key=lambda item: int(item[0])))
