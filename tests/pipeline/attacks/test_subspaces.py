"""Projections on subspaces against the DCT by SciPy, and against what any orthogonal projection is."""

import numpy as np
import pytest
import scipy.fft
import torch

from passband.pipeline.attacks.subspaces import DctBlocks, Spans, Within, block_places, orthonormal, random_bases

SHAPES = [(3, 8, 8), (1, 9, 7), (2, 6, 11)]
FORMS = ["square", "diagonal"]


def images_of(shape, count=5, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def within(subspaces, which, normals, rows):
    return Within(subspaces, which).at(rows, len(normals)).project(normals)


def projected(subspaces, images, which):
    which = np.broadcast_to(np.asarray(which), len(images)).astype(np.int64)
    return subspaces.at(which).project(torch.from_numpy(images)).numpy()


def families(shape, form):
    yield DctBlocks(shape, 3, 2, form)
    yield Spans(shape, random_bases(shape, 3, 2, form, seed=4))
    rng = np.random.default_rng(1)
    yield Spans(shape, [orthonormal(rng.normal(size=(size, np.prod(shape)))) for size in (2, 5)])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_blocks_are_those_of_a_mask_on_the_dct(shape, form):
    images, subspaces = images_of(shape), DctBlocks(shape, 3, 2, form)
    for number, start in enumerate(block_places(*shape[1:], 3, 2)):
        mask = np.zeros(shape[1:])
        for a in range(3):
            for b in range(3):
                mask[start + a, start + b] = form == "square" or a == b
        spectra = scipy.fft.dctn(images.astype(float), axes=(2, 3), norm="ortho")
        expected = scipy.fft.idctn(mask * spectra, axes=(2, 3), norm="ortho")
        np.testing.assert_allclose(projected(subspaces, images, number), expected, atol=2e-6)
        assert subspaces.dimensions[number] == shape[0] * mask.sum()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_coordinates_are_as_long_as_projections(shape, form):
    images = torch.from_numpy(images_of(shape))
    for subspaces in families(shape, form):
        for number in range(len(subspaces)):
            projections = subspaces.at(np.full(len(images), number))
            found = projections.coordinates(images)
            lengths = projections.project(images).flatten(1).norm(dim=1)
            np.testing.assert_allclose(found.norm(dim=1), lengths, rtol=1e-5)
            np.testing.assert_allclose(projections.coordinates(projections.combined(found)), found, atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_they_are_orthogonal_projections_of_their_dimension(shape, form):
    size = int(np.prod(shape))
    everything = np.eye(size, dtype=np.float32).reshape(size, *shape)
    for subspaces in families(shape, form):
        assert len(subspaces) == len(subspaces.dimensions) > 1
        for number, dimension in enumerate(subspaces.dimensions):
            matrix = projected(subspaces, everything, number).reshape(size, size)
            np.testing.assert_allclose(matrix, matrix.T, atol=2e-6)
            np.testing.assert_allclose(matrix @ matrix, matrix, atol=5e-6)
            assert np.trace(matrix) == pytest.approx(dimension, abs=1e-4)


def test_blocks_side_by_side_are_orthogonal_and_add_up_to_the_diagonal():
    shape, subspaces = (2, 8, 8), DctBlocks((2, 8, 8), 4, 4)
    images = images_of(shape)
    parts = [projected(subspaces, images, number) for number in range(len(subspaces))]
    assert len(parts) == 2
    assert abs((parts[0] * parts[1]).sum()) < 1e-4
    both = Spans(shape, [np.concatenate([np.kron(rows[a], rows[b])[None] for rows in halves() for a, b in pairs()])])
    np.testing.assert_allclose(parts[0] + parts[1], projected(both, images, 0), atol=3e-6)
    whole = DctBlocks(shape, 8, 1)
    np.testing.assert_allclose(projected(whole, images, 0), images, atol=3e-6)


def halves():
    matrix = scipy.fft.dct(np.eye(8), norm="ortho", axis=0).astype(np.float32)
    return matrix[:4], matrix[4:]


def pairs():
    return [(a, b) for a in range(4) for b in range(4)]


def test_a_random_matrix_stands_in_place_of_the_dct():
    bases = random_bases((1, 9, 7), 3, 2, seed=4)
    assert [basis.shape for basis in bases] == [(9, 63)] * 3
    for basis in bases:
        np.testing.assert_allclose(basis @ basis.T, np.eye(9), atol=2e-6)
    np.testing.assert_array_equal(bases[0][8], bases[1][0])  # blocks that overlap share functions: (2, 2)
    np.testing.assert_allclose(bases[0] @ bases[2].T, 0, atol=2e-6)  # the first and the last one share none
    assert (random_bases((1, 9, 7), 3, 2, seed=4)[0] == bases[0]).all()
    assert (random_bases((1, 9, 7), 3, 2, seed=5)[0] != bases[0]).any()
    assert [basis.shape for basis in random_bases((3, 9, 7), 3, 2, "diagonal")] == [(3, 63)] * 3


@pytest.mark.parametrize("form", FORMS)
def test_each_image_has_a_subspace_of_its_own(form):
    shape = (3, 8, 8)
    images, which = images_of(shape, 6), np.array([1, 0, 2, 2, 0, 1])
    for subspaces in list(families(shape, form))[:2]:
        mixed = projected(subspaces, images, which)
        for number in range(3):
            own = which == number
            np.testing.assert_array_equal(mixed[own], projected(subspaces, images, number)[own])


def test_rows_are_projected_and_zeros_kept():
    shape = (1, 8, 8)
    subspaces, which = DctBlocks(shape, 3, 2), np.array([2, 1, 0])
    normals = torch.from_numpy(images_of(shape, 4))
    normals[2:] = 0
    found = within(subspaces, which, normals, np.array([2, 0]))
    np.testing.assert_array_equal(found[:2].numpy(), projected(subspaces, normals.numpy(), [0, 2, 0, 0])[:2])
    assert not found[2:].any()


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 9, 7)], ids=str)
def test_rounding_is_taken_for_nothing(shape):
    subspaces = DctBlocks(shape, 2, 4)
    flat = torch.full((2, *shape), 0.37)
    found = within(subspaces, np.array([0, 1]), flat, np.array([0, 1]))
    np.testing.assert_allclose(found[0], flat[0], rtol=1e-5)  # a constant image is of zero frequency
    assert not found[1].any()


def test_orthonormal_functions_span_what_was_given():
    given = np.random.default_rng(2).normal(size=(3, 20)) * [[1e6], [1.0], [1e-6]]
    basis = orthonormal(given)
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-6)
    unit = given / np.linalg.norm(given, axis=1, keepdims=True)
    np.testing.assert_allclose(unit @ basis.T @ basis, unit, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((2, 5)), "not independent"),
        (np.zeros((1, 5)), "not independent"),
        (np.full((1, 5), np.nan), "finite"),
        (np.ones(5), "of shape \\[5\\]"),
        (np.eye(3)[:, :2], "not independent"),
    ],
)
def test_what_is_no_basis_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        orthonormal(given)


@pytest.mark.parametrize(("block", "step"), [(0, 1), (9, 1), (8, 1), (3, 0)])
def test_blocks_that_do_not_fit_are_refused(block, step):
    with pytest.raises(ValueError, match=f"block {block} and step {step}; allowed for 9 x 7 pixels: block 1 to 7"):
        DctBlocks((1, 9, 7), block, step)


def test_functions_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"basis 1 is of shape \[2, 5\]; allowed: \(S, 64\) or \(S, 192\)"):
        Spans((3, 8, 8), [np.ones((1, 64), np.float32), np.ones((2, 5), np.float32)])
