"""The benchmark of DeepFool and SparseFool, once over a small network and few images."""

import json

import pytest

from benchmarks import attacks
from passband.pipeline.networks.network import read_network
from tests.pipeline.trained import digits, trained_lenet


@pytest.fixture(scope="module")
def found(tmp_path_factory, one_thread):
    file = tmp_path_factory.mktemp("bench") / "model.pt"
    file.write_bytes(trained_lenet())
    network = read_network(file.read_bytes(), "model.pt").requires_grad_(False)
    images = digits("test")[0][:24].copy()
    return images, attacks.measure(network, file, images, few=3, rounds=1, batch=8, past=1.0)


def test_both_ways_come_to_the_same(found):
    _, numbers = found
    assert numbers["steps agree"] == 1
    assert numbers["rounds agree"] == 1
    assert numbers["steps of margins agree"] == 1
    assert numbers["fooled"] == {"deepfool": 1, "sparsefool": 1}
    assert 0 < numbers["median share of perturbed pixels"] < 0.3


def test_every_contender_has_a_rate(found):
    images, numbers = found
    names = [row["what"] for row in numbers["rows"]]
    assert names == ["deepfool, plain", "deepfool", "sparsefool, plain", "sparsefool", "margins, plain", "margins"]
    assert all(row["images_per_s"] > 0 for row in numbers["rows"])
    json.dumps(numbers)
    table = attacks.format_table({"processor": "here"}, "lenet", images, numbers)
    assert "lenet, 24 images of 16 px" in table
    assert "target 20" in table
