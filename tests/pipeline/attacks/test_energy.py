"""Shares of energy along the DCT's diagonal: of basis functions, by Parseval, of noise, and of nothing."""

import numpy as np
import scipy
import torch

from passband.pipeline.attacks.energy import energy_shares
from passband.pipeline.attacks.subspaces import DctBlocks


def test_a_basis_function_has_its_energy_where_it_lies():
    cosines = scipy.fft.dct(np.eye(9), norm="ortho", axis=0)
    functions = torch.from_numpy(np.stack([np.outer(cosines[u], cosines[v]) for u, v in ((0, 0), (4, 4), (2, 6))]))
    shares = energy_shares(functions[:, None], DctBlocks((1, 9, 9), block=3, step=3))
    np.testing.assert_allclose(shares, [[1, 0, 0], [0, 1, 0], [0, 0, 0]], atol=1e-6)


def test_the_largest_block_has_all_energy_and_half_of_it_by_parseval():
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3, 7, 7)).astype(np.float32))
    np.testing.assert_allclose(energy_shares(images, DctBlocks((3, 7, 7), block=7, step=1)), np.ones((5, 1)), rtol=1e-5)
    coefficients = scipy.fft.dctn(images.double().numpy(), norm="ortho", axes=(2, 3)) ** 2
    wanted = coefficients[:, :, 2:6, 2:6].sum((1, 2, 3)) / coefficients.sum((1, 2, 3))
    np.testing.assert_allclose(energy_shares(images, DctBlocks((3, 7, 7), block=4, step=2))[:, 1], wanted, rtol=1e-5)


def test_what_was_not_moved_is_left_out():
    images = torch.zeros(3, 1, 6, 5)
    images[1, 0, 2, 2] = 1
    assert energy_shares(images, DctBlocks((1, 6, 5), block=2, step=2)).shape == (1, 2)


def test_white_noise_has_as_much_as_there_are_functions():
    images = torch.from_numpy(np.random.default_rng(1).normal(size=(200, 3, 12, 16)))
    shares = energy_shares(images, DctBlocks((3, 12, 16), block=4, step=3))
    np.testing.assert_allclose(shares.mean(0), np.full(3, 4**2 / (12 * 16)), rtol=0.05)
