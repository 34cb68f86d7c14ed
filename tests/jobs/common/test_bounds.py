"""Files without end, in place of what is written beside shards and results: refused before they fill the memory."""

import pytest

from passband.jobs.bench.output import check_output
from passband.jobs.cluster.state import read_json
from passband.jobs.common.jobfile import JobError
from passband.jobs.evaluation.results import read_evaluation
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.layout import MANIFEST, MANIFEST_SHA256, record_name
from passband.pipeline.manifest import read_manifest, read_record, write_manifest
from passband.pipeline.seals import read_beside
from passband.pipeline.store import LocalStore
from tests.pipeline.manifests import manifest

TOO_LONG = "is too long; at most 256 MB are read|MB long; at most 256 MB are read"


def endless(path):
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.truncate(200 << 30)
    return path


def test_a_manifest_without_end_is_refused(tmp_path):
    endless(tmp_path / MANIFEST)
    with pytest.raises(IntegrityError, match=TOO_LONG):
        read_manifest(LocalStore(tmp_path))


def test_a_record_without_end_is_refused(tmp_path):
    endless(tmp_path / record_name(0))
    with pytest.raises(IntegrityError, match=TOO_LONG):
        read_record(LocalStore(tmp_path), 0)


def test_a_digest_without_end_is_another_than_the_manifest_has_and_the_next_write_replaces_it(tmp_path):
    store = LocalStore(tmp_path)
    written = write_manifest(store, manifest())
    endless(tmp_path / MANIFEST_SHA256)
    with pytest.raises(IntegrityError, match=f"does not stand in {MANIFEST_SHA256}"):
        read_manifest(store)
    assert write_manifest(store, manifest()) == written
    assert read_beside(store) == [written.digest]


def test_results_and_notes_without_end_are_refused(tmp_path):
    path = endless(tmp_path / "results.json")
    with pytest.raises(JobError, match=TOO_LONG):
        read_evaluation(path)
    with pytest.raises(PassbandError, match="was not written by passband bench"):
        check_output(path)
    assert read_json(path) is None
