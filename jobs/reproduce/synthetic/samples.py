"""Points of two classes whose discriminative directions are known (Modas 2022, 4.2.2 and 4.4.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Points:
    """Points with their classes.

    Attributes
    ----------
    points : (N, D) float32
    labels : (N,) int64, 0 or 1; as many of each, or one more of 0
    """

    points: Tensor
    labels: Tensor


def rotation(dimensions: int, generator: torch.Generator) -> Tensor:
    """Return a random element of SO(D); its columns u_1 to u_D are the directions of the features.

    Returns
    -------
    (D, D) float32, orthonormal, with determinant 1
    """
    basis = torch.linalg.qr(torch.randn(dimensions, dimensions, generator=generator, dtype=torch.float64))[0]
    basis[:, -1] *= torch.linalg.det(basis).sign()
    return basis.float()


def separable(number: int, basis: Tensor, epsilon: float, sigma: float, generator: torch.Generator) -> Points:
    """Return T_1(epsilon, sigma): classes `epsilon` apart along u_1, and noise along all other directions.

    Parameters
    ----------
    number : N
    basis : (D, D), u_1 to u_D as columns
    epsilon : distance between the classes
    sigma : standard deviation of the noise

    Notes
    -----
    Modas 2022, 4.2.2 prints x_1 = epsilon y with y = -1 or +1, which puts the classes 2 epsilon apart. The published
    median margin along u_1 is epsilon / 2 even for a linear classifier (table A.1), so they are epsilon apart.

    Examples
    --------
    >>> import torch
    >>> from passband.jobs.reproduce.synthetic.samples import separable
    >>> made = separable(4, torch.eye(3), 5.0, 1.0, torch.Generator().manual_seed(0))
    >>> made.points[:, 0].tolist(), made.labels.tolist()
    ([-2.5, 2.5, -2.5, 2.5], [0, 1, 0, 1])
    """
    labels, features = _noise(number, len(basis), sigma, generator)
    features[:, 0] = epsilon * (labels - 0.5)
    return Points(features @ basis.T, labels)


def alternating(
    number: int, basis: Tensor, epsilon: float, rho: float, periods: int, sigma: float, generator: torch.Generator
) -> Points:
    """Return T_2(rho, epsilon, sigma, K): classes that alternate along u_2, and are `epsilon` apart along u_1.

    Parameters
    ----------
    rho : period along u_2; neighbours of different classes are rho / 2 apart
    periods : K; the k of a point is one of -K to K - 1

    Notes
    -----
    Modas 2022, 4.4.1: class +1 lies at rho k, class -1 at rho (k + 1/2). `epsilon` is read as for `separable`.
    """
    labels, features = _noise(number, len(basis), sigma, generator)
    features[:, 0] = epsilon * (labels - 0.5)
    cells = torch.randint(-periods, periods, (number,), generator=generator)
    features[:, 1] = rho * (cells + 0.5 * (1 - labels))
    return Points(features @ basis.T, labels)


def _noise(number: int, dimensions: int, sigma: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.arange(number) % 2, sigma * torch.randn(number, dimensions, generator=generator)
