"""Subspaces of the space of images, and quick orthogonal projections on them.

Layouts: images (N, C, H, W); basis functions (S, D) in rows, D = H W for those of one channel, else C H W.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import scipy  # its parts are imported when first used
import torch
from numpy.typing import NDArray
from torch import Tensor

Integers = NDArray[np.int64]
Rows = NDArray[np.intp]
_ROUNDING = 1e-6


class Projections(ABC):
    """Orthogonal projections of N images, each on a subspace of its own."""

    @abstractmethod
    def coordinates(self, images: Tensor) -> Tensor:
        """Return what each image has in its subspace, by an orthonormal basis of it.

        Parameters
        ----------
        images : (N, C, H, W) float

        Returns
        -------
        (N, S) of the type and on the device of `images`; zero beyond a subspace's dimension. One image's do not depend
        on the others as long as there are as many of them.
        """

    @abstractmethod
    def combined(self, coordinates: Tensor) -> Tensor:
        """Return the images that have these coordinates: (N, S) -> (N, C, H, W)."""

    def project(self, images: Tensor) -> Tensor:
        """Return the projections: (N, C, H, W) both."""
        return self.combined(self.coordinates(images))


class Subspaces(ABC):
    """Several subspaces S_0, S_1 ... of images of one shape.

    Attributes
    ----------
    shape : (C, H, W)
    dimensions : of each subspace
    """

    shape: tuple[int, int, int]
    dimensions: list[int]

    def __len__(self) -> int:
        """Return how many subspaces there are."""
        return len(self.dimensions)

    @abstractmethod
    def at(self, which: Integers) -> Projections:
        """Return the projections on subspaces of these numbers, (N,) int64."""


class Within:
    """Keeps sample i of `DeepFool` within subspace ``which[i]``."""

    def __init__(self, subspaces: Subspaces, which: Integers) -> None:
        self._subspaces, self._which = subspaces, which

    def at(self, rows: Rows, size: int) -> Projections:
        """Return the projections of `size` normals, of which the first are those of `rows` and the others are zero."""
        chosen = np.zeros(size, np.int64)  # the others are zero in any subspace
        chosen[: len(rows)] = self._which[rows]
        return _BeyondRounding(self._subspaces.at(chosen))


class _BeyondRounding(Projections):
    """Projections of which one that is shorter than a millionth of its image is the rounding of float32, and zero.

    Else a sample that no direction of its subspace moves would be carried off along that.
    """

    def __init__(self, projections: Projections) -> None:
        self._projections = projections

    def coordinates(self, images: Tensor) -> Tensor:
        found = self._projections.coordinates(images)
        whole, within = (torch.linalg.vector_norm(values.flatten(1), dim=1) for values in (images, found))
        return torch.where((within > _ROUNDING * whole)[:, None], found, 0)

    def combined(self, coordinates: Tensor) -> Tensor:
        return self._projections.combined(coordinates)


class DctBlocks(Subspaces):
    """Blocks of the orthonormal two-dimensional DCT along its diagonal, from low to high frequencies.

    S_j is spanned by D(jT + a, jT + b), 0 <= a, b < K, in each of the C channels.

    Parameters
    ----------
    shape : (C, H, W)
    block, step : K and T
    form : "square" or "diagonal"
        The whole block, of dimension C K^2, or a = b alone, of dimension C K.

    Raises
    ------
    ValueError
        If a block is larger than the images.

    Notes
    -----
    P_S g = D_h^T (M * (D_h g D_w^T)) D_w with the K rows of the DCT's matrices of height and width, so no coefficient
    outside the block is ever computed: the coordinates are what stands in the middle. Ortiz-Jimenez et al. 2020, "Hold
    me tight", section 3.1: its text says "K x K blocks", and the authors' code takes them; the formula there prints the
    diagonal.
    """

    def __init__(self, shape: Sequence[int], block: int, step: int, form: str = "square") -> None:
        channels, height, width = shape
        self.shape = channels, height, width
        places = block_places(height, width, block, step)
        self._rows, self._columns = (_cosines(length, block, places) for length in (height, width))
        self._mask = torch.ones(block, block) if form == "square" else torch.eye(block)
        self.dimensions = [channels * int(self._mask.sum())] * len(places)

    def at(self, which: Integers) -> Projections:
        """Return the projections on these blocks."""
        index = torch.from_numpy(which)
        return _OnBlocks(self._rows[index][:, None], self._columns[index][:, None], self._mask)


class _OnBlocks(Projections):
    def __init__(self, rows: Tensor, columns: Tensor, mask: Tensor) -> None:
        self._rows, self._columns, self._mask = rows, columns, mask

    def coordinates(self, images: Tensor) -> Tensor:
        rows, columns, mask = (table.to(images) for table in (self._rows, self._columns, self._mask))
        return ((rows @ images @ columns.mT) * mask).flatten(1)

    def combined(self, coordinates: Tensor) -> Tensor:
        rows, columns = (table.to(coordinates) for table in (self._rows, self._columns))
        return rows.mT @ coordinates.view(len(coordinates), -1, *self._mask.shape) @ columns


class Spans(Subspaces):
    """The spans of orthonormal functions.

    Parameters
    ----------
    shape : (C, H, W)
    bases : of each subspace (S, D) float32, its rows orthonormal
        D = H W: functions of one channel, of which each channel has its own, as with the DCT; D = C H W: of all.

    Raises
    ------
    ValueError
        If D is neither.
    """

    def __init__(self, shape: Sequence[int], bases: Sequence[NDArray[np.float32]]) -> None:
        channels, height, width = shape
        self.shape = channels, height, width
        whole, single = channels * height * width, height * width
        for number, basis in enumerate(bases):
            if basis.ndim != 2 or basis.shape[1] not in (whole, single):
                raise ValueError(
                    f"basis {number} is of shape {list(basis.shape)}; allowed: (S, {single}) or (S, {whole})"
                )
        self._bases = [torch.from_numpy(basis) for basis in bases]
        self.dimensions = [len(basis) * (whole // basis.shape[1]) for basis in bases]

    def at(self, which: Integers) -> Projections:
        """Return the projections on these spans."""
        groups = {number: torch.from_numpy(which == number) for number in np.unique(which).tolist()}
        return _OnSpans(
            self.shape, [(self._bases[number], own) for number, own in groups.items()], max(self.dimensions)
        )


class _OnSpans(Projections):
    def __init__(self, shape: tuple[int, int, int], groups: list[tuple[Tensor, Tensor]], most: int) -> None:
        self._shape, self._groups, self._most = shape, groups, most

    def coordinates(self, images: Tensor) -> Tensor:
        found = images.new_zeros(len(images), self._most)
        for basis, own in self._groups:
            products = (images.reshape(-1, basis.shape[1]) @ basis.to(images).T).view(len(images), -1)
            found[own, : products.shape[1]] = products[own]
        return found

    def combined(self, coordinates: Tensor) -> Tensor:
        found = coordinates.new_zeros(len(coordinates), *self._shape)
        for basis, own in self._groups:
            dimension = len(basis) * (found[0].numel() // basis.shape[1])
            products = coordinates[:, :dimension].reshape(-1, len(basis)) @ basis.to(coordinates)
            found[own] = products.view_as(found)[own]
        return found


def block_places(height: int, width: int, block: int, step: int) -> range:
    """Return where the blocks of the diagonal begin: 0, T, 2 T ... as far as a K x K block fits.

    Raises
    ------
    ValueError
        If none fits.
    """
    if not 1 <= block <= min(height, width) or step < 1:
        raise ValueError(
            f"block {block} and step {step}; allowed for {height} x {width} pixels: block 1 to {min(height, width)}, "
            "step at least 1"
        )
    return range(0, min(height, width) - block + 1, step)


def random_bases(
    shape: Sequence[int], block: int, step: int, form: str = "square", seed: int = 0
) -> list[NDArray[np.float32]]:
    """Return bases like those of `DctBlocks`, from a random orthonormal matrix that stands in place of the DCT.

    Returns
    -------
    list of (S, H W) float32; blocks that overlap share functions, as those of the DCT do

    Notes
    -----
    "A random orthonormal matrix arranged as a tensor of the same dimensionality as the DCT tensor": figure 4.4 of the
    thesis. Only the functions that a block has are made: the Q of a Gaussian matrix, its signs those that make it
    uniform (Mezzadri 2007, "How to generate random matrices from the classical compact groups", section 5).
    """
    _, height, width = shape
    places = block_places(height, width, block, step)
    pairs = range(block) if form == "diagonal" else range(block * block)
    offsets = [(pair, pair) if form == "diagonal" else divmod(pair, block) for pair in pairs]
    blocks = [[(start + a) * width + start + b for a, b in offsets] for start in places]
    needed = sorted({function for functions in blocks for function in functions})
    drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal((height * width, len(needed)), np.float32)
    q, r = np.linalg.qr(drawn)
    functions = np.ascontiguousarray((q * np.sign(np.diag(r))).T)
    row = {function: number for number, function in enumerate(needed)}
    return [functions[[row[function] for function in chosen]] for chosen in blocks]


def orthonormal(functions: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return an orthonormal basis, (S, D) float32, of the span of S independent functions, (S, D).

    Raises
    ------
    ValueError
        If they are not finite, or one of them lies in the span of the others.
    """
    given = np.asarray(functions, np.float64)
    if given.ndim != 2 or not given.size or not np.isfinite(given).all():
        raise ValueError(f"a basis of shape {list(given.shape)}: allowed are (S, D) finite numbers")
    q, r = np.linalg.qr((given / np.maximum(np.linalg.norm(given, axis=1, keepdims=True), 1e-300)).T)
    if len(given) > given.shape[1] or np.abs(np.diag(r)).min() < 1e-6:
        raise ValueError(f"a basis of shape {list(given.shape)}: its functions are not independent")
    return np.ascontiguousarray(q.T.astype(np.float32))


def _cosines(length: int, block: int, places: range) -> Tensor:
    """Return the rows of the DCT's matrix that each block has: (J, K, length)."""
    matrix = scipy.fft.dct(np.eye(length), norm="ortho", axis=0)
    return torch.from_numpy(np.stack([matrix[start : start + block] for start in places]).astype(np.float32))
