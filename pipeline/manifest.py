"""Records and manifest: what is known of a dataset, and whether what is stored is still that.

A record is the last file of a shard to be written, so its presence means that the shard is done. The manifest holds
all records of a finished dataset and is what a reader opens it by, with the digest beside it (`pipeline.seals`).
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from passband.pipeline.checking import Problem, check_file
from passband.pipeline.documents import MAX_JSON_BYTES, DocumentError, parse_json, read_bounded
from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import MANIFEST, provenance_name, record_name, shard_name
from passband.pipeline.options import StrictModel
from passband.pipeline.problems import first_problem
from passband.pipeline.records import FORMAT, Manifest, ShardRecord, StoredFile
from passband.pipeline.seals import check_own_digest, mark, not_as_beside, read_beside, sealed, write_beside
from passband.pipeline.soundness import unsound
from passband.pipeline.store import Store


def readable_json(model: StrictModel) -> bytes:
    """Return a model as indented JSON, keys in the order of the model."""
    return (json.dumps(model.model_dump(), indent=1, ensure_ascii=False) + "\n").encode()


def read_record(store: Store, shard: int, listed: StoredFile | None = None) -> ShardRecord:
    """Read one record; raise IntegrityError if it is not one, is another shard's, or is not what the manifest lists.

    Parameters
    ----------
    listed : what the manifest says of the record, where there is one
    """
    name = record_name(shard)
    where = f"{store.uri}/{name}"
    try:
        content = read_bounded(store, name, MAX_JSON_BYTES)
    except FileNotFoundError as error:
        raise IntegrityError(f"{where}: is missing") from error
    except DocumentError as error:
        raise IntegrityError(f"{where}: is not a valid {ShardRecord.__name__}: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if listed is not None and found != listed.sha256:
        raise IntegrityError(f"{where}: sha256 is {found}, the manifest says {listed.sha256}")
    record = _parse(ShardRecord, content, where)
    if record.shard != shard:
        raise IntegrityError(f"{where}: is the record of shard {record.shard}, not of {shard}")
    return record


def read_manifest(store: Store) -> Manifest:
    """Read the manifest of a finished dataset.

    Raises
    ------
    IntegrityError
        Where there is none, or it is damaged, is not the one that was written, or cannot be true.
    """
    where, content = f"{store.uri}/{MANIFEST}", _manifest_content(store)
    manifest: Manifest = _parse(Manifest, content, where)
    while problem := not_as_beside(store, content, manifest.digest):
        before, content = content, _manifest_content(store)
        if content == before:
            raise IntegrityError(f"{where}: {problem}")
        manifest = _parse(Manifest, content, where)  # a run replaced it between one look and the other
    for problem in unsound(manifest):
        raise IntegrityError(f"{where}: cannot be true: {problem}")
    return manifest


def _manifest_content(store: Store) -> bytes:
    try:
        return read_bounded(store, MANIFEST, MAX_JSON_BYTES)
    except FileNotFoundError as error:
        raise IntegrityError(f"{store.uri}: no {MANIFEST}; the dataset is unfinished or this is not one") from error
    except DocumentError as error:
        raise IntegrityError(f"{store.uri}/{MANIFEST}: is not a valid {Manifest.__name__}: {error}") from error


def write_manifest(store: Store, manifest: Manifest) -> Manifest:
    """Replace the manifest and the digest beside it; return it with its digest.

    At every moment there is a manifest that opens, if there was one before: see `pipeline.seals`.
    """
    manifest = sealed(manifest)
    assert manifest.digest is not None
    content, before = readable_json(manifest), _mark_there(store)
    if before != manifest.digest or read_beside(store) != [before] or store.read(MANIFEST) != content:
        write_beside(store, [manifest.digest, *([] if before is None else [before])])
        store.put(MANIFEST, content)
        write_beside(store, [manifest.digest])
    return manifest


def _mark_there(store: Store) -> str | None:
    """Return what stands beside the present manifest for it; None where there is none that opens."""
    try:
        return mark(_manifest_content(store), read_manifest(store).digest)
    except IntegrityError:
        return None


def _parse(model: type[Any], content: bytes, where: str) -> Any:
    try:
        given = parse_json(content)
        if isinstance(given, dict) and given.get("format", FORMAT) != FORMAT:
            raise IntegrityError(f"{where}: has format {given['format']!r}, this version reads {FORMAT}")
        check_own_digest(given, where)
        return model.model_validate(given)
    except ValidationError as error:
        raise IntegrityError(f"{where}: is not a valid {model.__name__}: {first_problem(error)}") from error
    except DocumentError as error:
        raise IntegrityError(f"{where}: is not a valid {model.__name__}: {error}") from error


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
