"""Find what lies at a path, a folder of shards or the file of another format, and open it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from passband.pipeline.errors import PassbandError
from passband.pipeline.formats import place
from passband.pipeline.home import expanded
from passband.pipeline.layout import MANIFEST
from passband.pipeline.loading.reader import Reader
from passband.pipeline.loading.views import chosen_views
from passband.pipeline.manifest import read_manifest
from passband.pipeline.records import Manifest, ViewEntry
from passband.pipeline.store import open_store

BALANCES = ("group", "class", "group_class")


def located(path: str | Path) -> str:
    """Return a path that means the same in another folder and process; a URI as it is."""
    text = str(path).rstrip("/") or "/"
    return text if "://" in text else str(Path(expanded(text)).absolute())


def open_reader(
    path: str | Path, views: Sequence[str] | None, *, verify: bool, cache: str | Path | None
) -> tuple[Manifest, list[ViewEntry], Reader]:
    """Return the manifest of the dataset at `path`, the views called `views`, and what reads them."""
    folder, name, form = place(path)
    store = open_store(folder)
    try:
        manifest = read_manifest(store)
    except OSError as error:
        raise PassbandError(f"{store.uri}/{MANIFEST}: cannot be read: {error}") from error
    chosen = chosen_views(manifest, views, str(path).rstrip("/"))
    return manifest, chosen, form.open_reader(store, manifest, name, chosen, verify=verify, cache=cache)


def strata(reader: Reader, balance: str | None) -> NDArray[np.int64] | None:
    """Return the (N,) column to balance over; raise PassbandError for one that there is not."""
    if balance is None:
        return None
    if balance not in BALANCES:
        raise PassbandError(f"balance is {balance!r}; it can be {', '.join(map(repr, BALANCES))}, or None")
    if balance == "group_class":  # class by class, so that a few draws in a row are one of each group
        groups = reader.groups - reader.groups.min(initial=0)
        return reader.labels * (groups.max(initial=0) + 1) + groups
    return reader.groups if balance == "group" else reader.labels
