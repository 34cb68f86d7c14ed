"""A file with its sha256 in a second file beside it, so that an edit of either one shows.

The second is called as the first, plus ``.sha256``, and is what ``sha256sum --check`` reads. While a file is being
replaced it lists two hashes, of what is there and of what is to come, so that a crash at any byte leaves a pair that
fits: first both hashes, then the file, then its own hash alone. A hash that outlived its file is replaced first, too.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import SHA256_SUFFIX
from passband.pipeline.store import LocalStore, Store

_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class HashedFile:
    """What was read.

    Attributes
    ----------
    recorded : whether a hash stood beside it, which `content` then has
    """

    content: bytes
    sha256: str
    recorded: bool


def put_hashed(store: Store, name: str, content: bytes) -> str:
    """Write `content` under `name` with its sha256 beside it, replacing what was there; return the sha256."""
    new = hashlib.sha256(content).hexdigest()
    before = []
    if store.exists(name):
        before = _recorded(store, name) or [hashlib.sha256(store.read(name)).hexdigest()]
    store.put(name + SHA256_SUFFIX, _lines([*before, new], name))
    store.put(name, content)
    store.put(name + SHA256_SUFFIX, _lines([new], name))
    return new


def delete_hashed(store: Store, name: str) -> None:
    """Remove a file and its hash, where they are there."""
    store.delete(name)
    store.delete(name + SHA256_SUFFIX)


def read_hashed(store: Store, name: str, advice: str = "") -> HashedFile:
    """Return the content of `name`, compared with the hash beside it, where there is one.

    Parameters
    ----------
    advice : what can be done about damage, for the error

    Raises
    ------
    FileNotFoundError
    IntegrityError
        If it has another hash, or what stands beside it is no hash.
    """
    wanted = _recorded(store, name)
    content = store.read(name)
    found = hashlib.sha256(content).hexdigest()
    if wanted is not None and found not in wanted:
        wanted = _recorded(store, name)  # it may have been replaced in between
    if wanted is not None and found not in wanted:
        raise IntegrityError(
            f"{store.uri}/{name}: has sha256 {found}, {name}{SHA256_SUFFIX} says {' or '.join(wanted) or 'nothing'}"
            f"{advice and f'; {advice}'}"
        )
    return HashedFile(content, found, wanted is not None)


def read_hashed_file(path: Path) -> HashedFile:
    """Do as `read_hashed` for a path."""
    return read_hashed(LocalStore(path.parent), path.name)


def _recorded(store: Store, name: str) -> list[str] | None:
    """Return the hashes that stand beside a file; None where nothing does."""
    beside = name + SHA256_SUFFIX
    if not store.exists(beside):
        return None
    if store.size(beside) > _MOST_BYTES:
        raise IntegrityError(f"{store.uri}/{beside}: is damaged: it is larger than any list of hashes")
    lines = [_LINE.fullmatch(line) for line in store.read(beside).decode("utf-8", "replace").splitlines()]
    hashes = [line[1] for line in lines if line]
    if not hashes or len(hashes) < len(lines):
        raise IntegrityError(f"{store.uri}/{beside}: is damaged: it is no list of sha256 and name")
    return hashes


def _lines(hashes: list[str], name: str) -> bytes:
    return "".join(f"{sha256}  {name}\n" for sha256 in dict.fromkeys(hashes)).encode()
