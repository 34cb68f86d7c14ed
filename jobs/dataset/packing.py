"""Third step of a shard: views in, tar members and provenance rows out."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.dataset.clock import Clock
from passband.jobs.dataset.plan import PlanRow
from passband.jobs.dataset.reading import Batch
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.dataset.views import Views
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.canonical import canonical_json
from passband.pipeline.encodings.codec import ENCODINGS, Jpeg, encode_npy
from passband.pipeline.formats.webdataset.tar import TarWriter
from passband.pipeline.records import BadSample

_SEVERITIES = 6
"""Severity 0 to 5: the stride of a domain in ``group: domain_severity``."""


class Packer:
    """Encodes the views of batches, and writes them and keeps their provenance until the shard is whole."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._job = blueprint.job
        self._views = blueprint.views()
        name = blueprint.job.output.encoding
        self._encoding = Jpeg(blueprint.job.output.quality) if name == "jpeg" else ENCODINGS[name]

    def encode(self, batch: Batch, views: Views, clock: Clock) -> "EncodedBatch":
        """Encode all views of a batch; runs on a thread of its own."""
        with clock.step("encode"):
            columns: dict[str, list[bytes]] = {}
            stacked = [s for v, s in zip(self._views, views.stored, strict=True) if v.field == "views.npy"]
            if stacked:
                columns["views.npy"] = [encode_npy(stack) for stack in np.stack(stacked, axis=1)]
            for view, stored in zip(self._views, views.stored, strict=True):
                if view.dtype == "float16":
                    columns[view.field] = [encode_npy(array) for array in stored]
                elif view.field not in columns:
                    columns[view.field] = self._encoding.encode_batch(stored)
            if self._job.output.cls:
                columns["cls"] = [b"%d" % row.label for row in batch.rows]
            domains = np.array([row.domain for row in batch.rows], np.int64)
            groups = _groups(self._job, domains, views.severity)
            columns["json"] = [
                canonical_json(
                    {"key": row.key, "label": row.label, "group": group, "domain": row.domain, "severity": severity}
                )
                for row, group, severity in zip(batch.rows, groups.tolist(), views.severity.tolist(), strict=True)
            ]
        return EncodedBatch(batch.rows, batch.bad, views, groups, dict(sorted(columns.items())))


def _groups(job: GenerateJob, domains: NDArray[np.int64], severity: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the group of each sample: what the job says, or severity, else domain, else 0."""
    corrupted = any(AUGMENTATIONS[name].sets_severity for name, _ in job.base_recipe())
    if job.group == "domain_severity":
        return domains * _SEVERITIES + severity
    if job.group == "severity" or (job.group == "auto" and corrupted):
        return severity
    return np.maximum(domains, 0)


class EncodedBatch:
    """A batch as it goes into the shard; it holds no pixels.

    Parameters
    ----------
    rows, bad : as in `Batch`
    columns : member field -> one encoded file a sample, fields sorted
    """

    def __init__(
        self,
        rows: list[PlanRow],
        bad: list[BadSample],
        views: Views,
        groups: NDArray[np.int64],
        columns: dict[str, list[bytes]],
    ) -> None:
        self.rows, self.bad = rows, bad
        self.labels = np.array([row.label for row in rows], np.int64)
        self.recorded, self.severity = views.recorded, views.severity
        self.groups = groups
        self.columns = columns

    def write(self, tar: TarWriter) -> pa.Table:
        """Append the samples to the shard and return their provenance."""
        offsets: dict[str, list[int]] = {field: [] for field in self.columns}
        for position, row in enumerate(self.rows):
            for field, contents in self.columns.items():
                offsets[field].append(tar.add(f"{row.index:08d}.{field}", contents[position]))
        return pa.table(self._provenance(offsets))

    def _provenance(self, offsets: dict[str, list[int]]) -> dict[str, pa.Array]:
        rows = self.rows
        table: dict[str, pa.Array] = {
            "index": pa.array([row.index for row in rows], pa.uint32()),
            "key": pa.array([row.key for row in rows], pa.string()),
            "label": pa.array([row.label for row in rows], pa.int64()),
            "group": pa.array(self.groups),
            "domain": pa.array([row.domain for row in rows], pa.int64()),
            "severity": pa.array(self.severity),
            "source": pa.array([row.source for row in rows], pa.int16()),
            "source_sha256": pa.array([row.sha256 for row in rows], pa.binary(32)),
        }
        for name, values in self.recorded.items():
            table[name] = _column(values)
        for field, starts in offsets.items():
            table[f"{field}.offset"] = pa.array(starts, pa.int64())
            table[f"{field}.size"] = pa.array([len(c) for c in self.columns[field]], pa.int64())
        return table


def _column(values: NDArray[Any]) -> pa.Array:
    """Return an array of any rank as an Arrow column; higher ranks become fixed-size lists of the flat values."""
    if values.ndim == 1:
        return pa.array(values)
    width = int(np.prod(values.shape[1:]))
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), width)


class Tally:
    """Counts of a shard's samples by group and class."""

    def __init__(self) -> None:
        self.groups: Counter[int] = Counter()
        self.classes: Counter[int] = Counter()
        self.samples = 0

    def add(self, encoded: EncodedBatch) -> None:
        """Count a batch."""
        self.groups.update(encoded.groups.tolist())
        self.classes.update(encoded.labels.tolist())
        self.samples += len(encoded.rows)


def as_counts(counter: Counter[int]) -> dict[str, int]:
    """Return a counter with text keys in numeric order, as a record stores it."""
    return {str(key): counter[key] for key in sorted(counter)}
