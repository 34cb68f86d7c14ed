"""A stage of somebody else: one file (`toys.fade`) and one line in `AUGMENTATIONS`."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from passband.jobs.bench.cases import make_cases
from passband.pipeline.augment import AUGMENTATIONS
from tests.extensions.conftest import assert_verified_and_resumed, stored_views
from tests.extensions.toys.fade import Fade
from tests.pipeline.augment.test_contract import StageContract


@pytest.fixture(autouse=True)
def line(monkeypatch):
    monkeypatch.setitem(AUGMENTATIONS, "fade", Fade)


class TestFade(StageContract):
    samples = {"fade": [{}, {"most": 1.0}, {"most": 0.25}]}


def test_a_dataset_has_the_right_pixels_and_can_be_verified_and_resumed(passband, write_job, tmp_path):
    job = write_job(views=["clean", {"fade": {"most": 0.75}}])
    status, _, error = passband("run", job)
    assert status == 0, error
    clean, faded = stored_views(tmp_path / "set", "fade")
    share = pq.read_table(sorted((tmp_path / "set").glob("records/*.parquet")))["view1.0.fade.share"].to_numpy()
    assert 0 <= share.min() < 0.1 < 0.65 < share.max() <= 0.75
    expected = np.float32(clean / np.float32(255)) * (1 - share.astype(np.float32))[:, None, None, None]
    np.testing.assert_allclose(faded, expected * 255, atol=0.51)
    assert_verified_and_resumed(passband, job, tmp_path / "set")
    assert passband("inspect", tmp_path / "set", "--sample", "0")[0] == 0


def test_it_may_change_the_sample_itself(passband, write_job, tmp_path):
    assert passband("run", write_job(base=["fade"]))[0] == 0
    assert passband("verify", tmp_path / "set")[0] == 0


def test_it_is_listed_and_measured(passband):
    _, out, _ = passband("stages", "--json")
    listed = json.loads(out)["stages"]["fade"]
    assert listed["summary"] == "Darken each image by a share between 0 and ``most``."
    assert listed["options"]["most"]["default"] == 0.5
    _, out, _ = passband("schema")
    schema = json.loads(out)
    assert "fade" in schema["$defs"]["StageEntry"]["properties"]
    assert [case.name for case in make_cases([32], ["fade"], batch=lambda size: 1)] == ["fade"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mots": 1.0}, "views[1].fade: unknown key 'mots' (did you mean most?); allowed: most"),
        ({"most": 2.0}, "views[1].fade.most: got 2.0; it must be at most 1.0"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(passband, write_job, options, said):
    status, _, error = passband("run", write_job(views=["clean", {"fade": options}]))
    assert status == 1
    assert said in error


def test_a_line_that_is_gone_is_unknown_again(passband, write_job, monkeypatch):
    monkeypatch.delitem(AUGMENTATIONS, "fade")
    status, _, error = passband("run", write_job(views=["clean", "fade"]))
    assert status == 1
    assert "unknown key 'fade'" in error
