"""The benchmark of the filters runs, and times each round of each contender once."""

import json

from benchmarks import frequency
from benchmarks.timing import describe_machine, quartiles, time_in_turn


def test_contenders_run_in_turn():
    calls = []
    contenders = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    seconds = time_in_turn(contenders, rounds=3, warmup=1)
    assert calls == ["a", "b"] * 4
    assert [len(times) for times in seconds.values()] == [3, 3]
    assert min(map(min, seconds.values())) >= 0


def test_quartiles():
    assert quartiles([5.0, 1.0, 3.0, 2.0, 4.0]) == (2, 3, 4)


def test_every_filter_has_a_row():
    rows = frequency.measure(9, 3, rounds=2)
    assert [row["filter"] for row in rows] == [
        *("radial low", "radial high", "radial band", "phase_only", "dct low", "dct high", "dct_flip", "svd"),
        *("to_float", "to_uint8"),
    ]
    assert all(row["ms"] > 0 and row["ratio"] > 0 for row in rows)
    json.dumps(rows)
    table = frequency.format_table(describe_machine(), rows)
    assert table.count("\n") == 3 + len(rows)
