"""A corruption of somebody else: one file (`toys.stripes`) and one line in `CORRUPTIONS`."""

import json

import numpy as np
import pytest

from passband.pipeline.augment.corruption import CORRUPTIONS, NAMES, Corrupt
from tests.extensions.conftest import assert_verified_and_resumed, stored_views
from tests.extensions.toys.stripes import STRIPES
from tests.pipeline.augment.test_contract import StageContract


@pytest.fixture(autouse=True)
def line(monkeypatch):
    monkeypatch.setitem(CORRUPTIONS, "stripes", STRIPES)


class TestStripes(StageContract):
    samples = {
        "corrupt": [
            {"types": "stripes", "severity": 3},
            {"types": ["stripes", "fog"], "severity": {"uniform": [0, 5]}},
            {"types": "stripes", "severity": 5, "rounding": "truncate"},
        ]
    }
    fixed = ("stripes",)


def test_a_dataset_has_the_right_pixels_and_can_be_verified_and_resumed(passband, write_job, tmp_path):
    job = write_job(views=["clean", {"corrupt": {"types": "stripes", "severity": 5}, "name": "striped"}])
    status, _, error = passband("run", job)
    assert status == 0, error
    clean, striped = stored_views(tmp_path / "set", "striped")
    np.testing.assert_array_equal(striped[:, 1::2], clean[:, 1::2])
    darker = (clean[:, ::2] / np.float32(255) * np.float32(0.5)).astype(np.float64)
    np.testing.assert_array_equal(striped[:, ::2], np.rint(255 * darker))
    assert_verified_and_resumed(passband, job, tmp_path / "set")
    assert "corrupt makes stripes of severity 5" in passband("inspect", tmp_path / "set", "--sample", "0")[1]


def test_it_is_listed(passband):
    _, out, _ = passband("stages", "--json")
    types = json.loads(out)["stages"]["corrupt"]["options"]["types"]["type"]
    assert types.endswith(" | jpeg_compression | stripes | list of these")
    _, out, _ = passband("schema")
    assert '"stripes"' in out


def test_all_are_those_of_the_paper_still():
    assert Corrupt.Options.model_validate({"types": "all", "severity": 3}).types == list(NAMES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"types": "stripe", "severity": 3}, "jpeg_compression, stripes (did you mean stripes?)"),
        ({"types": "stripes", "severity": 6}, "at most 5"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(passband, write_job, options, said):
    status, _, error = passband("run", write_job(views=["clean", {"corrupt": options}]))
    assert status == 1
    assert said in error
