"""Datasets side by side: the same samples in every sheet, numbers and views."""

import shutil

import pytest

from passband.jobs.comparison import datasets
from passband.jobs.comparison.reading import Dataset, read_runs
from passband.jobs.comparison.shared_samples import Place, choose_keys, families, places_of, read_keys, rows_that_fit
from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest, read_record
from passband.pipeline.store import LocalStore


@pytest.fixture(scope="session")
def found(runs) -> list[Dataset]:
    return [run.content for run in read_runs([str(path) for path in runs[:3]])]


def places(keys):
    return {key: Place(0, number, number % 3) for number, key in enumerate(keys)}


def test_every_place_is_where_the_sample_lies(found):
    for dataset in found[:2]:
        there = places_of(dataset)
        assert len(there) == dataset.manifest.samples
        for number, shard in enumerate(dataset.manifest.shards):
            for sample in read_shard(dataset.store, dataset.manifest, shard):
                assert there[sample.key] == Place(number, sample.index, sample.label)


def test_datasets_that_share_samples_are_a_family(found):
    assert families([places_of(dataset) for dataset in found]) == [[0, 1], [2]]


def test_families_by_hand():
    a, b, c = places("abcdefgh"), places("efghijkl"), places("ijklmnop")
    assert families([a, b, c]) == [[0, 1], [2]]  # a and c share nothing, so neither do all three
    assert families([a, c, b]) == [[0, 2], [1]]
    assert families([a, places("gh")]) == [[0, 1]]  # as much as there is
    assert families([a, places("hijklmnop")]) == [[0], [1]]
    assert families([a, {}]) == [[0], [1]]


def test_the_same_keys_are_shown_though_the_plans_differ(found):
    there = [places_of(dataset) for dataset in found[:2]]
    assert list(there[0]) != list(there[1])
    keys = choose_keys(there, 10)
    shown = [read_keys(dataset, where, keys) for dataset, where in zip(found, there, strict=False)]
    assert [[sample.key for sample in samples] for samples in shown] == [keys, keys]
    assert [sample.label for sample in shown[0]] == list(range(10))
    for one, other in zip(*shown, strict=True):
        assert (one.views[0] == other.views[0]).all()
        assert (len(one.views), len(other.views)) == (2, 4)


def test_all_sheets_together_stay_below_the_budget(found):
    each = 16 * 16 * (2 + 4)
    assert rows_that_fit(found[:2], 10, 7 * each + 1) == 7
    assert rows_that_fit(found[:2], 10, 1 << 30) == 10
    assert rows_that_fit(found[:2], 10, 1) == 2


def test_the_table_says_what_manifest_and_records_say(runs):
    section = datasets.section(read_runs([str(runs.digits), str(runs.reseeded)]))
    numbers = section.blocks[0]
    store = LocalStore(runs.reseeded)
    manifest = read_manifest(store)
    row = dict(zip([c.heading for c in numbers.columns], [c.text for c in numbers.rows[1]], strict=True))
    seconds = sum(read_record(store, shard.shard).seconds for shard in manifest.shards)  # one worker, one by one
    assert (row["samples"], row["views"], row["pixels"]) == ("355", "4", "16 × 16")
    assert float(row["made in"].removesuffix(" s")) == pytest.approx(seconds, rel=0.1)  # two digits are told
    assert row["identity"] == manifest.identity[:12]
    assert row["backend"] == "cpu"


def test_every_view_is_told_of(runs):
    section = datasets.section(read_runs([str(runs.digits), str(runs.reseeded)]))
    views = [[cell.text for cell in row] for row in section.blocks[-1].rows]
    assert [row[:3] for row in views] == [
        ["digits", "0", "clean"],
        ["", "1", "low"],
        ["reseeded", "0", "clean"],
        ["", "1–2", "dct_flip-1, dct_flip-2"],
        ["", "3", "high"],
    ]
    assert "low-pass: spatial frequencies below 4 bins" in views[1][3]


def test_what_is_missing_of_a_dataset_is_named(runs, tmp_path):
    shutil.copytree(runs.digits, tmp_path / "set")
    (run,) = read_runs([str(tmp_path / "set")])
    manifest = run.content.manifest
    there = places_of(run.content)
    (tmp_path / "set" / manifest.shards[0].tar.name).unlink()
    with pytest.raises(IntegrityError, match=r"000000\.tar: is missing"):
        read_keys(run.content, there, list(there)[:3])
    other = tmp_path / "set" / manifest.shards[1].tar.name
    other.write_bytes(b"\0" * other.stat().st_size)
    with pytest.raises(IntegrityError, match=r"000001\.tar: sha256 is \w+, its record says"):
        read_keys(run.content, there, list(there)[50:51])
    provenance = tmp_path / "set" / manifest.shards[0].provenance.name
    provenance.write_bytes(b"no parquet")
    with pytest.raises(IntegrityError, match=r"000000\.parquet: has 10 bytes, the manifest says"):
        places_of(run.content)
    provenance.unlink()
    with pytest.raises(IntegrityError, match=r"000000\.parquet: is missing"):
        places_of(run.content)
