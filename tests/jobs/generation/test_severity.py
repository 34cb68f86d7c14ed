"""A corrupted base: the severity of each sample reaches provenance, shards, groups and records."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from passband.jobs.common.jobfile import JobError
from passband.jobs.generation.run import generate
from passband.jobs.generation.verify import verify
from passband.pipeline.augment.corruption import NAMES, Corrupt
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job, stored_bytes

BASE = [{"corrupt": {"types": ["gaussian_noise"], "severity": {"poisson": 1.0}}}]
VIEWS = ["clean", {"corrupt": {"types": "all", "severity": {"uniform": [1, 5]}}, "name": "any"}]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("corrupted") / "out"
    generate(small_job(out, base=BASE, views=VIEWS))
    return out


def provenance(out):
    return pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("records/*.parquet"))])


def samples(out):
    store = LocalStore(out)
    manifest = read_manifest(store)
    return [sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)]


def test_the_severity_is_stored_and_is_the_group(dataset):
    table = provenance(dataset)
    severity = table["severity"].to_numpy()
    assert len(severity) == 355
    assert {0, 1, 2} <= set(severity.tolist()) <= set(range(6))
    np.testing.assert_array_equal(table["group"].to_numpy(), severity)
    np.testing.assert_array_equal(table["base.0.corrupt.severity"].to_numpy(), severity)
    assert set(table["base.0.corrupt.type"].to_pylist()) == {0}
    assert [(s.severity, s.group) for s in samples(dataset)] == [(k, k) for k in severity.tolist()]
    counts = Counter(map(str, severity.tolist()))
    assert read_manifest(LocalStore(dataset)).group_counts == counts
    assert json.loads((dataset / "records" / "000000.json").read_text())["group_counts"]


def test_the_clean_image_is_the_corrupted_one_and_severity_zero_the_source(dataset, tmp_path):
    generate(small_job(tmp_path, views=["clean"]))
    clean = {sample.key: sample.views[0] for sample in samples(tmp_path)}
    for sample in samples(dataset):
        same = np.array_equal(sample.views[0], clean[sample.key])
        assert same == (sample.severity == 0)


def test_a_view_has_its_own_types_and_severities(dataset):
    table = provenance(dataset)
    severity = table["view1.0.corrupt.severity"].to_numpy()
    assert set(severity.tolist()) == set(range(1, 6))
    assert set(table["view1.0.corrupt.type"].to_pylist()) == set(range(len(NAMES)))


@pytest.mark.parametrize("batch_size", [1, 13])
def test_the_batch_size_changes_no_byte(dataset, tmp_path, batch_size):
    generate(small_job(tmp_path, base=BASE, views=VIEWS, compute={"batch_size": batch_size}))
    assert stored_bytes(tmp_path) == stored_bytes(dataset)


GROUPS = {
    "severity": lambda domain, severity: severity,
    "domain": lambda domain, severity: domain,
    "domain_severity": lambda domain, severity: 6 * domain + severity,
}


@pytest.mark.parametrize("group", GROUPS)
def test_groups_by_severity_and_domain(tmp_path, group):
    sources = [
        {"kind": "digits", "split": "test", "domain": "uci"},
        {"kind": "mnist5k", "split": "test", "domain": "mnist"},
    ]
    job = small_job(tmp_path, base=BASE, views=["clean"])
    job = type(job).model_validate(job.resolved() | {"source": sources, "group": group})
    generate(job)
    found = {(s.domain, s.severity, s.group) for s in samples(tmp_path)}
    assert {(domain, severity) for domain, severity, _ in found} >= {(d, s) for d in (0, 1) for s in (0, 1, 2)}
    assert all(number == GROUPS[group](domain, severity) for domain, severity, number in found)


@pytest.mark.parametrize("size", [48, 64])
def test_images_of_up_to_64_pixels_take_the_table_for_tiny_imagenet(tmp_path, size):
    pixels = {}
    for table in (None, "tiny", "cifar"):
        options = {"types": "brightness", "severity": 5} | ({} if table is None else {"table": table})
        generate(small_job(tmp_path / str(table), image={"size": size}, views=["clean", {"corrupt": options}]))
        pixels[table] = np.stack([sample.views[1] for sample in samples(tmp_path / str(table))])
    np.testing.assert_array_equal(pixels[None], pixels["tiny"])
    assert (pixels[None] != pixels["cifar"]).any()


def test_the_identity_moves_with_the_version_of_the_stage(dataset, tmp_path, monkeypatch):
    """Constants that a job does not spell out changed in version 2: what was made before is not resumed."""
    assert Corrupt.version == 2
    monkeypatch.setattr(Corrupt, "version", 1)
    manifest = generate(small_job(tmp_path / "old", base=BASE, views=VIEWS))
    assert manifest.identity != read_manifest(LocalStore(dataset)).identity


def test_a_corrupted_dataset_verifies(dataset):
    assert list(verify(LocalStore(dataset))) == []


def test_without_a_corrupted_base_there_is_no_severity_to_group_by(tmp_path):
    with pytest.raises(JobError, match="group: severity needs a stage in base that sets a severity"):
        small_job(tmp_path, views=VIEWS, group="severity")


def test_of_several_corruptions_the_last_sets_the_severity(tmp_path):
    base = [{"corrupt": {"types": "contrast", "severity": 2}}, {"corrupt": {"types": "fog", "severity": 4}}]
    generate(small_job(tmp_path, base=base, views=["clean"]))
    assert {(sample.severity, sample.group) for sample in samples(tmp_path)} == {(4, 4)}
