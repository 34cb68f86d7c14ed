"""Trainings side by side: numbers, curves, and what differs between their jobs."""

import json

import pytest

from passband.jobs.comparison import trainings
from passband.jobs.comparison.curves import thinned
from passband.jobs.comparison.differences import differing_keys
from passband.jobs.comparison.reading import read_runs


def table(section, title):
    (block,) = [block for block in section.blocks if block.title == title]
    headings = [column.heading.replace("\u00a0", " ") for column in block.columns]
    return [dict(zip(headings, row, strict=True)) for row in block.rows]


def test_the_table_says_what_the_results_say(runs, undrawn):
    section = trainings.section(read_runs([str(runs.erm), str(runs.sam)]))
    rows = table(section, "Numbers")
    results = [json.loads((path / "results.json").read_text()) for path in (runs.erm, runs.sam)]
    for row, found in zip(rows, results, strict=True):
        assert row["objective"].text == found["objective"]
        assert row["loss"].text == f"{found['loss']:.4f}"
        assert row["test/clean, %"].text == f"{100 * found['accuracy']['accuracy/test/clean']:.1f}"
    clean = [100 * found["accuracy"]["accuracy/test/clean"] for found in results]
    assert [row["test/clean, %"].best for row in rows] == [round(c, 1) == round(max(clean), 1) for c in clean]


def test_curves_are_the_metrics_over_epochs(runs):
    (run,) = read_runs([str(runs.sam)])
    lines = [json.loads(line) for line in (runs.sam / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    loss = trainings._line(0, run.content, "loss", 1.0)
    assert loss.y == losses
    assert loss.x[-1] == run.content.results.epochs == 2
    assert loss.x[0] == pytest.approx(2 / len(losses))
    accuracy = trainings._line(0, run.content, "accuracy/test/low", 100.0)
    assert accuracy.x == [1, 2]
    assert trainings._line(0, run.content, "accuracy/elsewhere", 100.0) is None


def test_charts_of_loss_and_accuracy(runs, undrawn):
    section = trainings.section(read_runs([str(runs.erm), str(runs.sam)]))
    assert [block.title for block in section.blocks] == ["Numbers", "Loss", "Accuracy", "What differs between the jobs"]
    assert [mark.label for mark in section.blocks[1].legend] == ["erm", "sam"]
    alone = trainings.section(read_runs([str(runs.erm)]))
    assert [block.title for block in alone.blocks] == ["Numbers", "Loss", "Accuracy"]
    assert not alone.blocks[1].legend


def test_what_differs_between_real_jobs(runs, undrawn):
    section = trainings.section(read_runs([str(runs.erm), str(runs.sam)]))
    rows = {
        row["key of the job"].text: (row["erm"].text, row["sam"].text)
        for row in table(section, section.blocks[-1].title)
    }
    assert {key: rows[key] for key in ("seed", "epochs", "objective.kind")} == {
        "seed": ("0", "3"),
        "epochs": ("3", "2"),
        "objective.kind": ("erm", "sam"),
    }
    assert not {key for key in rows if key.startswith(("name", "output"))}
    assert "batch_size" not in rows


def test_differences_by_hand():
    jobs = [
        {"name": "a", "x": {"y": 1, "z": [1, 2]}, "same": None, "one": True},
        {"name": "b", "x": {"y": 1.0, "z": [1]}, "same": None, "one": 1, "more": {"k": "v", "none": {}}},
    ]
    assert differing_keys(jobs) == {
        "x.y": ["1", "1.0"],
        "x.z": ["[1, 2]", "[1]"],
        "one": ["true", "1"],
        "more.k": ["–", "v"],
        "more.none": ["–", "{}"],
    }
    assert differing_keys([jobs[0], jobs[0] | {"name": "c", "output": {"uri": "o"}}]) == {}


def test_many_points_become_means_of_neighbors():
    x, y = thinned(range(1000), [float(n % 5) for n in range(1000)], 200)
    assert (len(x), set(y)) == (200, {2.0})
    assert (x[0], x[-1]) == (2.0, 997.0)
    assert thinned([1, 2], [3, 4], 200) == ([1, 2], [3, 4])
