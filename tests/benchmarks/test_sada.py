"""The benchmark of SADA, once over a small network and few images."""

import json

import pytest

from benchmarks import sada


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    bench = sada.prepare(tmp_path_factory.mktemp("bench"), None, "lenet", size=16, count=96, subset=10, epochs=1)
    return bench, sada.measure(bench, rounds=1)


def test_both_ways_come_to_the_same(found):
    _, numbers = found
    assert numbers["flips agree"] >= 0.98
    assert numbers["images agree"] >= 0.9
    assert 0.3 < numbers["model"] < 1


def test_every_contender_has_a_rate(found):
    bench, numbers = found
    names = [row["what"] for row in numbers["rows"]]
    assert names == ["plain", "core", "stage", "core, channels_last", "core, bfloat16 and channels_last"]
    assert all(row["images_per_s"] > 0 for row in numbers["rows"])
    json.dumps(numbers)
    table = sada.format_table({"processor": "here"}, bench, numbers)
    assert "lenet, 96 images of 16 px" in table
    assert "target 3" in table
