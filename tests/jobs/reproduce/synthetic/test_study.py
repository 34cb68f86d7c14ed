"""What a node of the synthetic reproduction writes: the same for the same parameters, and summed up as it says."""

import json

import pytest
import torch

from passband.jobs.reproduce.synthetic.study import study
from passband.jobs.reproduce.synthetic.task import MarginTask

SETTING = {
    "points": {"kind": "separable", "epsilon": 5.0, "sigma": 1.0},
    "dimensions": 10,
    "train_points": 300,
    "test_points": 40,
    "hidden": [],
    "epochs": 5,
    "batch": 50,
    "rate": 0.1,
    "momentum": 0.0,
    "clip": None,
    "directions": ["u1", "complement", "orthogonal", "random"],
    "random_subspaces": 3,
    "subspace_dimensions": 2,
    "seed": 4,
}


def never():
    return False


def test_a_node_is_a_pure_function_of_its_parameters(tmp_path):
    tasks = [MarginTask(SETTING | {"hidden": [20]}), MarginTask(SETTING | {"hidden": [20], "seed": 5})]
    torch.manual_seed(1)
    first = [task.run(str(tmp_path / f"first{number}"), {}, never) for number, task in enumerate(tasks)]
    torch.manual_seed(2)
    again = [task.run(str(tmp_path / f"again{number}"), {}, never) for number, task in enumerate(tasks)]
    assert first == again
    assert first[0]["margins"] != first[1]["margins"]
    files = [(tmp_path / name / "results.json").read_bytes() for name in ("first0", "again0", "first1")]
    assert files[0] == files[1] != files[2]
    assert json.loads(files[0])["margins"] == first[0]["margins"]
    assert len({task.identity({}) for task in tasks}) == 2


def test_the_margins_of_a_linear_network_follow_from_each_other():
    """In all dimensions orthogonal to u_1 the normal is longer than in two of them."""
    found = study(SETTING)
    assert found["accuracy"] == {"train": 1.0, "test": 1.0}
    margins = found["margins"]
    assert list(margins) == SETTING["directions"]
    assert margins["u1"]["quantiles"][1] == pytest.approx(2.5, abs=0.2)
    assert margins["complement"]["quantiles"][1] < margins["orthogonal"]["quantiles"][1]
    for name, entry in margins.items():
        assert entry["found"] == 1
        assert entry["steps"] == 1
        assert entry["quantiles"] == sorted(entry["quantiles"])
        assert entry["quantiles"] == pytest.approx(entry["unrefined"], rel=1e-3)
        assert len(entry["medians"]) == (3 if name in ("orthogonal", "random") else 1)
    assert margins["u1"]["medians"] == pytest.approx(margins["u1"]["quantiles"][1:2])


def test_alternating_points_are_measured_along_both_features():
    points = {"kind": "alternating", "epsilon": 1.0, "rho": 20.0, "periods": 3, "sigma": 1.0}
    found = study(SETTING | {"points": points, "directions": ["u1", "u2"]})
    assert list(found["margins"]) == ["u1", "u2"]


def test_where_there_is_no_margin_there_is_no_number():
    """Trained for no epoch on points far away, the network has one class only within the steps that it is given."""
    found = study(SETTING | {"points": {"kind": "separable", "epsilon": 0.0, "sigma": 0.0}, "epochs": 0})
    for entry in found["margins"].values():
        assert entry["quantiles"] == [None] * 3 or all(value > 0 for value in entry["quantiles"])
        assert (entry["found"] == 0) == (entry["quantiles"][0] is None)


def test_one_that_is_to_stop_ends_and_writes_nothing(tmp_path):
    with pytest.raises(SystemExit):
        MarginTask(SETTING).run(str(tmp_path / "out"), {}, lambda: True)
    assert not (tmp_path / "out").exists()
