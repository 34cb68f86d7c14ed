"""LinearSolver against SciPy's linear programming, and against the loop over coordinates."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from passband.pipeline.attacks.linear_solver import solve
from tests.pipeline.attacks import plain


def problem(seed, size=12, spread=1.0):
    """Return a point in the unit box, a normal, and a boundary point on the far side."""
    rng = np.random.default_rng(seed)
    point, normal = rng.random(size), rng.standard_normal(size)
    boundary = point + spread * rng.random() * normal
    return (torch.from_numpy(array.astype(np.float32)) for array in (point, normal, boundary))


def least_l1(point, normal, boundary, low, high, beyond):
    """Return the least sum of |delta| by linear programming, or None where the box ends before the hyperplane."""
    missing = beyond - normal @ (point - boundary)
    size = len(point)
    # delta = up - down, both not negative
    found = linprog(
        np.ones(2 * size),
        A_ub=-np.concatenate([normal, -normal])[None],
        b_ub=[-missing],
        bounds=[(0, room) for room in np.concatenate([high - point, point - low])],
    )
    return found.fun if found.status == 0 else None


@pytest.mark.parametrize("beyond", [0.0, 0.05])
def test_it_is_the_l1_optimum_in_the_box(beyond):
    solvable = 0
    for seed in range(60):
        point, normal, boundary = problem(seed, spread=0.4)
        low, high = torch.zeros(12), torch.ones(12)
        if seed % 2:
            low, high = (point - 0.3).clamp(0), (point + 0.3).clamp(max=1)
        found = solve(*(tensor[None] for tensor in (point, normal, boundary, low, high)), beyond)[0]
        assert ((low <= found) & (found <= high)).all()
        optimum = least_l1(*(tensor.double().numpy() for tensor in (point, normal, boundary, low, high)), beyond)
        side = float(normal.double() @ (found.double() - boundary.double()))
        if optimum is None:
            assert side < beyond
            continue
        solvable += 1
        assert float((found - point).abs().sum()) == pytest.approx(optimum, abs=1e-5)
        assert side == pytest.approx(beyond, abs=1e-5)
    assert 20 <= solvable < 60


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 7), (1, 16, 16)])
def test_one_pass_is_the_loop(shape):
    rng = np.random.default_rng(0)
    points, normals = (torch.from_numpy(rng.random((6, *shape), np.float32)) for _ in range(2))
    normals = normals - 0.5
    boundary = points + torch.linspace(0.05, 2, 6).view(-1, 1, 1, 1) * normals
    low, high = torch.zeros_like(points), torch.ones_like(points)
    found = solve(points, normals, boundary, low, high, 1e-3)
    for row in range(6):
        given = (tensor[row].flatten() for tensor in (points, normals, boundary, low, high))
        np.testing.assert_allclose(found[row].flatten(), plain.linear_solver(*given, 1e-3), atol=1e-6)


def test_a_point_beyond_stays_and_so_does_one_without_a_normal():
    point, low, high = torch.full((1, 4), 0.5), torch.zeros(1, 4), torch.ones(1, 4)
    normal = torch.tensor([[1.0, -2.0, 0.5, 0.0]])
    torch.testing.assert_close(solve(point, normal, point - 0.1 * normal, low, high, 0.1), point, rtol=0, atol=0)
    torch.testing.assert_close(solve(point, 0 * normal, point, low, high, 0.1), point, rtol=0, atol=0)


def test_by_hand():
    """Two coordinates: the larger gives what its room allows, the smaller the rest."""
    point, normal = torch.tensor([[0.5, 0.5, 0.5]]), torch.tensor([[2.0, -1.0, 0.1]])
    boundary = point + torch.tensor([[0.6, 0.0, 0.0]])  # 1.2 is missing: 2 * 0.5, then 0.2
    found = solve(point, normal, boundary, torch.zeros(1, 3), torch.ones(1, 3))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.3, 0.5]]))
