"""The benchmark of sensitivity maps runs, and its share is one of the time it measured."""

import json

from benchmarks import sensitivity
from benchmarks.timing import describe_machine


def test_a_network_has_a_row():
    row = sensitivity.measure("lenet", passes=8, rounds=2)
    assert row["passes"] == 8
    assert 0 < row["share_by_clock"] <= 1
    assert row["share"] > 0
    assert row["images_per_s"] > 0
    json.dumps(row)
    table = sensitivity.format_table(describe_machine(), [row])
    assert "lenet" in table
