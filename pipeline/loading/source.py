"""The dataset of a stream: opened when it is needed, and anew in another process."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import get_spawning_popen
from typing import Any

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.labels import shuffled
from passband.pipeline.loading.opening import open_reader, strata
from passband.pipeline.loading.order import Order
from passband.pipeline.loading.reader import Reader
from passband.pipeline.loading.views import require_one_form
from passband.pipeline.records import Manifest, ViewEntry


@dataclass(frozen=True)
class Request:
    """What a stream was asked to read, and in which order: the arguments of `open_stream` of the same names."""

    path: str
    views: Sequence[str] | str | None
    seed: int
    shuffle: bool
    balance: str | None
    views_by_epoch: bool
    views_as_samples: bool
    window: int | None
    verify: bool
    cache: str | None
    shuffle_labels: int | None = None


@dataclass(frozen=True)
class Opened:
    """A dataset that is open, the views that were asked for, and the order of its samples."""

    manifest: Manifest
    views: tuple[ViewEntry, ...]
    reader: Reader
    order: Order


class Source:
    """Opens what is requested at its first use in a process.

    A copy that was pickled opens the dataset again, and refuses it if it is another by then. A forked process goes on
    with what was open, with locks and connections of its own. Workers of a DataLoader share what was compared and
    fetched if `share` was called before they were started.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self._opened: Opened | None = None
        self._process = os.getpid()
        self._inherited: Mapping[str, Any] = {}

    @property
    def opened(self) -> Opened:
        """The open dataset."""
        if self._opened is None:
            self._opened = self._open()
        elif self._process != os.getpid():
            self._opened.reader.files.renew_after_fork()
        self._process = os.getpid()
        return self._opened

    @property
    def is_open(self) -> bool:
        """Whether the dataset was used already."""
        return self._opened is not None

    def share(self) -> None:
        """Have processes that are forked or spawned from now on share what is compared and fetched."""
        reader = self.opened.reader
        reader.checked.share()
        if reader.files.cache is not None:
            _ = reader.files.cache.folder  # is made here, so that one process makes it

    def in_stored_order(self) -> "Source":
        """Return a source of the first view of every sample, once, in stored order, with the same reader."""
        opened = self.opened
        order = replace(opened.order, shuffle=False, balance=None, strata=None, views=1)
        views = [opened.views[0].name]
        source = Source(
            replace(
                self.request, views=views, shuffle=False, balance=None, views_by_epoch=False, views_as_samples=False
            )
        )
        source._opened = replace(opened, views=opened.views[:1], order=order)
        return source

    def close(self) -> None:
        """Close the files."""
        if self._opened is not None:
            self.opened.reader.close()

    def __getstate__(self) -> dict[str, Any]:
        inherited: dict[str, Any] = dict(self._inherited)
        if self._opened is not None:
            reader = self._opened.reader
            inherited = {"identity": self._opened.manifest.identity}
            if get_spawning_popen() is not None:  # for a child of this process, that ends before it
                inherited["checked"] = reader.checked.share()
                inherited["cache"] = None if reader.files.cache is None else str(reader.files.cache.folder)
        return {"request": self.request, "_opened": None, "_process": 0, "_inherited": inherited}

    def _open(self) -> Opened:
        request, inherited = self.request, self._inherited
        cache = inherited.get("cache") or request.cache
        manifest, views, reader = open_reader(request.path, request.views, verify=request.verify, cache=cache)
        try:
            return self._checked(manifest, tuple(views), reader)
        except BaseException:
            reader.close()
            raise

    def _checked(self, manifest: Manifest, views: tuple[ViewEntry, ...], reader: Reader) -> Opened:
        request, inherited = self.request, self._inherited
        if inherited.get("identity", manifest.identity) != manifest.identity:
            raise PassbandError(
                f"{request.path}: is another dataset than when the stream was opened; its identity is "
                f"{manifest.identity}, it was {inherited['identity']}"
            )
        if "checked" in inherited:
            reader.checked.join(inherited["checked"])
        if request.views_as_samples:
            require_one_form(views, request.path)
        if request.shuffle_labels is not None:
            reader.labels = shuffled(reader.labels, reader.indices, request.shuffle_labels)
        draws = len(views) if request.views_as_samples else 1
        columns = strata(reader, request.balance)
        order = Order(
            manifest.identity,
            request.seed,
            request.shuffle,
            reader.shards,
            request.window,
            request.balance,
            columns,
            draws,
        )
        return Opened(manifest, views, reader, order)
