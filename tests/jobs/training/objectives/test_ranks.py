"""Two processes take the steps of one."""

import pytest
import torch
import torch.multiprocessing

from tests.jobs.training.objectives.ranks import CASES, PREPARATIONS, one_of_two, run_preparation, run_steps


@pytest.fixture(scope="module")
def found(tmp_path_factory, digits_set):
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(one_of_two, (folder, digits_set), nprocs=2)
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in (0, 1)]


def assert_close(one, other, tolerance):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_close(one[key], other[key], tolerance)
    elif isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    else:
        assert one == other


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps(case, found):
    first, second = (results[str(case)] for results in found)
    assert_close(first, second, 0)  # the same bits in both
    alone = run_steps(*case)
    assert_close(first, alone, 1e-5)
    assert 0 < alone["metrics"].get("share_weighted", 0.5) < 1


@pytest.mark.slow
@pytest.mark.parametrize("case", PREPARATIONS, ids=str)
def test_preparations(case, found, digits_set):
    first, second = (results[f"prepare {case}"] for results in found)
    assert_close(first, second, 0)
    alone = run_preparation(*case, digits_set)
    table = "weights" if case[0] == "jtt" else "groups"
    # A sample next to a boundary may change sides with the last bit of a weight.
    different = (first[table] - alone[table]).abs() > 0.1
    assert different.float().mean() <= 0.01
