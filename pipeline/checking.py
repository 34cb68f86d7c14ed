"""A stored file held against what is recorded of it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from passband.pipeline.records import StoredFile
from passband.pipeline.store import Store

_CHUNK = 1 << 20


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
