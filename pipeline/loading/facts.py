"""What a stream knows of its dataset."""

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.building import IMAGE
from passband.pipeline.loading.lookup import StreamSample, find_sample
from passband.pipeline.loading.presenting import Presentation
from passband.pipeline.loading.source import Source
from passband.pipeline.records import Manifest, ViewEntry


class Facts:
    """Columns, views, classes and single samples of a dataset, opened at the first use."""

    _source: Source
    _presentation: Presentation

    @property
    def manifest(self) -> Manifest:
        """All that is known of the dataset."""
        return self._source.opened.manifest

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views, in the order asked for."""
        return tuple(view.name for view in self._source.opened.views)

    @property
    def view_names(self) -> tuple[str, ...]:
        """The same as `views`."""
        return self.views

    @property
    def image_names(self) -> tuple[str, ...]:
        """Names of the images in a batch: the views, or ``image`` where views are samples of their own."""
        return (IMAGE,) if self._source.request.views_as_samples else self.views

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return tuple(self.manifest.classes)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of all samples in stored order, (num_samples,)."""
        return self._source.opened.reader.labels

    @property
    def groups(self) -> NDArray[np.int64]:
        """Groups of all samples in stored order, (num_samples,)."""
        return self._source.opened.reader.groups

    @property
    def indices(self) -> NDArray[np.int64]:
        """Indices in the dataset's plan of all samples in stored order, (num_samples,)."""
        return self._source.opened.reader.indices

    @property
    def num_samples(self) -> int:
        """Number of samples of the dataset."""
        return len(self.labels)

    @property
    def num_draws(self) -> int:
        """Number of draws in an epoch, of all ranks together: of samples, or of views that are samples of their own."""
        return self._source.opened.order.num_draws

    def views_of(self, epoch: int) -> tuple[ViewEntry, ...]:
        """Return the views that `epoch` reads; raise PassbandError if there are none for it."""
        views = self._source.opened.views
        if not self._source.request.views_by_epoch:
            return views
        if epoch >= len(views):
            names = ", ".join(self.views)
            raise PassbandError(
                f"views_by_epoch: epoch {epoch} has no view; the {len(views)} views {names} serve epochs "
                f"0 to {len(views) - 1}"
            )
        return views[epoch : epoch + 1]

    def sample(self, index_or_key: SupportsIndex | str) -> StreamSample:
        """Return one sample as it is stored, with all views of the stream and without transforms.

        Parameters
        ----------
        index_or_key : int or str
            An integer is the index in the dataset's plan, a string the key: ``"2"`` is not 2.

        Raises
        ------
        PassbandError
            If there is no such sample; it says what there is.
        """
        return find_sample(self._source.opened, index_or_key, self._presentation)

    def keys(self, indices: Sequence[int] | NDArray[np.int64] | torch.Tensor) -> list[str]:
        """Return the keys of the samples with these plan indices; raise PassbandError for one that is not there."""
        wanted = np.asarray(indices, np.int64).reshape(-1)
        rows = np.searchsorted(self.indices, wanted)
        absent = wanted[self.indices[np.minimum(rows, self.num_samples - 1)] != wanted]
        if len(absent):
            raise PassbandError(f"{self.manifest.name} has no sample with index {absent[0]}")
        return self._source.opened.reader.keys(rows)

    def describe(self) -> dict[str, Any]:
        """Return, as JSON, what two streams must agree in to continue each other."""
        request = self._source.request
        options = {
            **self._source.opened.order.describe(),
            "views": list(self.views),
            "views_by_epoch": request.views_by_epoch,
        }
        return options | ({"views_as_samples": True} if request.views_as_samples else {})
