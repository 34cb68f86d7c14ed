"""Synthetic points: what distinguishes their classes, and what does not."""

import pytest
import torch

from passband.jobs.reproduce.synthetic.samples import alternating, rotation, separable


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dimensions", [2, 7, 100])
def test_rotations_are_orthonormal_and_keep_orientation(dimensions):
    for seed in range(3):
        basis = rotation(dimensions, generator(seed)).double()
        torch.testing.assert_close(basis.T @ basis, torch.eye(dimensions, dtype=torch.float64), atol=1e-6, rtol=0)
        assert float(torch.linalg.det(basis)) == pytest.approx(1, abs=1e-5)
    assert not torch.equal(rotation(5, generator(0)), rotation(5, generator(1)))


@pytest.mark.parametrize("number", [1, 10, 1001])
def test_classes_are_balanced(number):
    for made in (
        separable(number, torch.eye(4), 5.0, 1.0, generator()),
        alternating(number, torch.eye(4), 0.1, 20.0, 3, 1.0, generator()),
    ):
        assert made.points.shape == (number, 4)
        assert made.points.dtype == torch.float32
        assert int(made.labels.sum()) == number // 2


def test_separable_points_differ_along_u1_alone():
    basis = rotation(30, generator(1))
    made = separable(20_000, basis, 5.0, 2.0, generator(2))
    features = made.points @ basis
    torch.testing.assert_close(features[:, 0], 5.0 * (made.labels - 0.5), atol=1e-4, rtol=0)
    noise = features[:, 1:]
    for label in (0, 1):
        assert float(noise[made.labels == label].mean(0).abs().max()) < 0.1
        torch.testing.assert_close(noise[made.labels == label].std(0), torch.full((29,), 2.0), atol=0.1, rtol=0)


def test_alternating_points_take_turns_along_u2():
    basis = rotation(9, generator(1))
    made = alternating(5_000, basis, 0.2, 20.0, 3, 1.0, generator(2))
    features = made.points @ basis
    torch.testing.assert_close(features[:, 0], 0.2 * (made.labels - 0.5), atol=1e-4, rtol=0)
    cells = (features[:, 1] / 10).round()
    torch.testing.assert_close(features[:, 1], 10 * cells, atol=1e-3, rtol=0)
    assert sorted(set(cells[made.labels == 1].tolist())) == [-6, -4, -2, 0, 2, 4]
    assert sorted(set(cells[made.labels == 0].tolist())) == [-5, -3, -1, 1, 3, 5]
    torch.testing.assert_close(features[:, 2:].std(0), torch.ones(7), atol=0.05, rtol=0)


def test_no_global_random_state_is_read_or_moved():
    torch.manual_seed(5)
    first = alternating(9, rotation(4, generator()), 1.0, 20.0, 3, 1.0, generator())
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    torch.manual_seed(6)
    assert torch.equal(alternating(9, rotation(4, generator()), 1.0, 20.0, 3, 1.0, generator()).points, first.points)
