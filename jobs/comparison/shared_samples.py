"""Which samples the contact sheets show: the same keys where datasets share samples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from passband.jobs.comparison.reading import Dataset
from passband.jobs.drawing.sheet import LOOKED_AT, choose_views, spread_samples
from passband.pipeline.checking import check_file
from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats.sample import Sample
from passband.pipeline.formats.webdataset.decode import decode_sample
from passband.pipeline.formats.webdataset.tar import read_samples
from passband.pipeline.loading.table import read_provenance

MAX_KEYS = 100_000
"""Samples of a dataset among which those of another are looked for."""
LEAST_SHARED = 4
"""Datasets that have fewer samples in common get sheets of their own."""


@dataclass(frozen=True)
class Place:
    """Where a sample lies; `shard` counts the shards of the manifest."""

    shard: int
    index: int
    label: int


Places = dict[str, Place]


def places_of(dataset: Dataset) -> Places:
    """Return key -> place of the first samples of a dataset, in plan order; only the provenance is read."""
    found: Places = {}
    for number, shard in enumerate(dataset.manifest.shards):
        table = read_provenance(dataset.store, shard, ["key", "index", "label"], verify=True)
        columns = (table[name].to_pylist() for name in ("key", "index", "label"))
        found |= {key: Place(number, index, label) for key, index, label in zip(*columns, strict=True)}
        if len(found) >= MAX_KEYS:
            break
    return found


def families(datasets: Sequence[Places]) -> list[list[int]]:
    """Return the datasets by number, those together that have samples in common."""
    grouped: list[list[int]] = []
    common: list[set[str]] = []
    for number, places in enumerate(datasets):
        for family, keys in zip(grouped, common, strict=True):
            shared = keys & places.keys()
            if len(shared) >= min(LEAST_SHARED, len(keys), len(places)) > 0:
                family.append(number)
                keys.intersection_update(shared)
                break
        else:
            grouped.append([number])
            common.append(set(places))
    return grouped


def choose_keys(datasets: Sequence[Places], rows: int) -> list[str]:
    """Return `rows` keys that all of the datasets have, spread over the classes of the first."""
    shared = (key for key in datasets[0] if all(key in places for places in datasets))
    first = [
        Sample(place.index, key, place.label, 0, -1, -1, [])
        for key in islice(shared, LOOKED_AT)
        for place in [datasets[0][key]]
    ]
    return [sample.key for sample in spread_samples(first, rows)]


def read_keys(dataset: Dataset, places: Places, keys: Sequence[str]) -> list[Sample]:
    """Return the samples of these keys, in their order; only shards that hold one are read.

    Raises
    ------
    IntegrityError
        If a shard is missing or damaged, or a sample is not in it.
    """
    found: dict[int, Sample] = {}
    for number in sorted({places[key].shard for key in keys}):
        wanted = {places[key].index for key in keys if places[key].shard == number}
        found |= {sample.index: sample for sample in _read(dataset, number, wanted)}
    return [found[places[key].index] for key in keys]


def _read(dataset: Dataset, number: int, wanted: set[int]) -> Iterable[Sample]:
    shard = dataset.manifest.shards[number]
    where, left = f"{dataset.store.uri}/{shard.tar.name}", set(wanted)
    for problem in check_file(dataset.store, shard.tar, shard.shard):
        raise IntegrityError(problem.message)
    try:
        with dataset.store.open(shard.tar.name) as file:
            for stored in read_samples(file):
                if stored.index in left:
                    left.remove(stored.index)
                    yield decode_sample(stored, dataset.manifest)
                if not left:
                    return
    except (ValueError, KeyError, OSError) as error:
        raise IntegrityError(f"{where}: is damaged: {error}") from error
    raise IntegrityError(f"{where}: lacks the samples {', '.join(map(str, sorted(left)))}")


def rows_that_fit(datasets: Sequence[Dataset], most: int, pixels: int) -> int:
    """Return how many rows keep the sheets of all datasets together below `pixels`; 2 at least."""
    each = sum(d.manifest.shape[1] * d.manifest.shape[2] * len(choose_views(d.manifest.views)) for d in datasets)
    return max(2, min(most, pixels // each))
