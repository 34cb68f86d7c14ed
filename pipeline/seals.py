"""Digests of what nothing else vouches for: shards stand in the manifest with their sha256, the manifest in no file.

A record and a manifest carry the digest of all that they say beside it. Whoever edits one may edit the digest too, so
that of the manifest stands once more in a file beside it: an edit of one file cannot pass. While a manifest is
replaced the file holds two digests, of the new one and of the one that is still there, so that there is no moment at
which a kill leaves a dataset that does not open::

    manifest.json   old      old        new        new
    manifest.sha256 old      new, old   new, old   new

What was made before there were digests has none, neither inside nor beside it, and is read as it was then. In the
file such a manifest stands with the sha256 of its bytes, which is not the digest of what it says: else it would do to
cut the digest out of a manifest that has one.

A ``job.yaml`` that is cut off between two lines is YAML all the same, so its first line is the digest of the others.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from passband.pipeline.canonical import digest
from passband.pipeline.documents import DocumentError, read_bounded, read_json
from passband.pipeline.errors import IntegrityError
from passband.pipeline.layout import MANIFEST_SHA256
from passband.pipeline.options import StrictModel
from passband.pipeline.store import Store

KEY = "digest"
_FIRST_LINE = f"{KEY}: ".encode()
_MAX_BESIDE = 1 << 16  # bytes of it: it holds two digests at most
_LINES = re.compile(rb"(?:[0-9a-f]{64}\n){1,2}").fullmatch
Sealable = TypeVar("Sealable", bound=StrictModel)


def own_digest(document: Mapping[str, Any]) -> str:
    """Return the digest of what a JSON document says beside its digest."""
    return digest({key: value for key, value in document.items() if key != KEY})


def sealed(model: Sealable) -> Sealable:
    """Return `model` with the digest that its JSON has."""
    written = json.loads(json.dumps(model.model_dump()))
    return model.model_copy(update={KEY: own_digest(written)})


def check_own_digest(document: Any, where: str) -> None:
    """Raise IntegrityError if a JSON document carries a digest that is not its own; one without may be older."""
    if isinstance(document, dict):
        try:
            unsealed(document)
        except DocumentError as error:
            raise IntegrityError(f"{where}: {error}") from error


def put_sealed(store: Store, name: str, document: Mapping[str, Any]) -> None:
    """Write a JSON document with its digest as the last key."""
    plain: dict[str, Any] = json.loads(json.dumps(document))
    text = json.dumps(plain | {KEY: own_digest(plain)}, indent=1, ensure_ascii=False)
    store.put(name, (text + "\n").encode())


def read_sealed(store: Store, name: str, *, finite: bool = True) -> dict[str, Any]:
    """Return what `put_sealed` wrote, without the digest; one without may be older.

    Raises
    ------
    DocumentError
        If it is no JSON object, or was changed after it was written. `finite` as in `parse_json`.
    FileNotFoundError
        If it is not there.
    """
    return unsealed(read_json(store, name, finite=finite))


def unsealed(document: Any) -> dict[str, Any]:
    """Return a JSON document without its digest; raise DocumentError as `read_sealed` does."""
    if not isinstance(document, dict):
        raise DocumentError("holds no mapping of keys")
    plain = {key: value for key, value in document.items() if key != KEY}
    given = document.get(KEY)
    if given is not None and given != (found := own_digest(plain)):
        raise DocumentError(f"was changed after it was written: its digest is {found}, it says {given}")
    return plain


def mark(content: bytes, own: str | None) -> str:
    """Return what stands beside a manifest for it: its digest, or the sha256 of one that has none."""
    return own or hashlib.sha256(content).hexdigest()


def read_beside(store: Store) -> list[str] | None:
    """Return the digests that stand beside the manifest; None where there is no such file, none where it is no list."""
    try:
        content = read_bounded(store, MANIFEST_SHA256, _MAX_BESIDE)
    except FileNotFoundError:
        return None
    except DocumentError:
        return []
    return content.decode().split() if _LINES(content) else []


def write_beside(store: Store, marks: list[str]) -> None:
    """Replace the digests that stand beside the manifest."""
    store.put(MANIFEST_SHA256, "".join(f"{line}\n" for line in dict.fromkeys(marks)).encode())


def not_as_beside(store: Store, content: bytes, own: str | None) -> str | None:
    """Say why a manifest is not the one that the file beside it stands for; None where it is."""
    listed = read_beside(store)
    if listed is None:
        return None if own is None else f"{MANIFEST_SHA256}, which was written with it, is missing"
    if mark(content, own) in listed:
        return None
    if own is None:
        return f"carries no digest, but {MANIFEST_SHA256} lies beside it: it was changed after it was written"
    return f"its digest {own} does not stand in {MANIFEST_SHA256}: one of the two was changed after they were written"


def sealed_text(content: bytes) -> bytes:
    """Return a YAML document with a first line that holds the sha256 of all that follows."""
    return _FIRST_LINE + hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def check_sealed_text(content: bytes, where: str) -> None:
    """Raise IntegrityError if a YAML document carries a digest that is not its own; one without may be older."""
    line, _, rest = content.partition(b"\n")
    if line == sealed_text(rest).partition(b"\n")[0]:
        return
    if content.startswith(_FIRST_LINE) or b"\n" + _FIRST_LINE in content:
        raise IntegrityError(
            f"{where}: was changed after the plan was made, or cut short: its digest is not its own; "
            f"if the change is yours, remove the line {KEY}"
        )
