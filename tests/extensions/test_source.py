"""A source of somebody else: one file (`toys.squares`) and one line in `SOURCES`."""

import json

import numpy as np
import pytest

from passband.pipeline.loading import open_stream
from passband.pipeline.sources import SOURCES
from tests.extensions.conftest import assert_verified_and_resumed
from tests.extensions.toys.squares import Squares
from tests.pipeline.sources.test_contract import SourceContract


@pytest.fixture(autouse=True)
def line(monkeypatch):
    monkeypatch.setitem(SOURCES, "squares", Squares)


class TestSquares(SourceContract):
    makers = {"squares": lambda folder: {"count": 12}}


def test_a_dataset_has_the_right_pixels_and_can_be_verified_and_resumed(passband, write_job, tmp_path):
    output = {"uri": str(tmp_path / "set"), "samples_per_shard": 10}
    job = write_job(source={"kind": "squares", "count": 40}, image={"size": 8}, output=output)
    status, _, error = passband("run", job)
    assert status == 0, error
    with open_stream(tmp_path / "set", batch_size=8, shuffle=False) as stream:
        batches = list(stream)
    levels = np.concatenate([batch.images["clean"].numpy() for batch in batches])
    labels = np.concatenate([batch.labels.numpy() for batch in batches])
    assert sorted(levels[:, 0, 0, 0].tolist()) == list(range(40))
    assert (levels == levels[:, :1, :1, :1]).all()
    np.testing.assert_array_equal(labels, levels[:, 0, 0, 0] >= 20)
    assert_verified_and_resumed(passband, job, tmp_path / "set")


def test_it_is_listed(passband):
    _, out, _ = passband("stages", "--json")
    assert json.loads(out)["sources"]["squares"]["options"]["count"]["default"] == 20
    for kind in ("generate", "analyze"):
        _, out, _ = passband("schema", kind)
        assert "SquaresSource" in json.loads(out)["$defs"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            {"kind": "squares", "cuont": 3},
            "source: unknown key 'cuont' (did you mean count?); allowed: count, domain",
        ),
        ({"kind": "squares", "count": 1}, "source.count: got 1; it must be at least 2"),
        ({"kind": "square"}, "source: kind: got 'square'; allowed: mnist5k, digits,"),
        ({"kind": "square"}, "squares (did you mean squares?)"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(passband, write_job, source, said):
    status, _, error = passband("run", write_job(source=source))
    assert status == 1
    assert said in error
