from typing import Any, Protocol

from passband.kernels.prime_steps import PrimeSteps


class Primitives(Protocol):
    """The primitives of PRIME, and whole views by them."""

    def random_filter(self, images: Any, weights: Any) -> Any:
        """Return clip(x cross-correlated with each sample's filter, zeros outside the image).

        Parameters
        ----------
        images : (N, C, H, W) float32
        weights : (N, K, K)
            Tap (K // 2, K // 2) lies on the pixel itself; the identity is a delta there. K >= 1, odd or even.

        Returns
        -------
        (N, C, H, W) float32 in [0, 1]

        Raises
        ------
        ValueError
            For other shapes, or images that are not float32.

        Notes
        -----
        PRIME (Modas et al. 2022), section 3.2, "spectral"; the released code centres the delta elsewhere for K = 3.
        """

    def sine_field(self, coefficients: Any, height: int, width: int) -> Any:
        """Return the displacement whose sine series on linspace(0, 1, H) x linspace(0, 1, W) is given.

        Parameters
        ----------
        coefficients : (N, 2, My, Mx)
            Of sin(pi i y) sin(pi j x), i and j from 1, My <= H - 2, Mx <= W - 2; axis 0 is dy / H, axis 1 dx / W.
        height, width : int

        Returns
        -------
        (N, 2, H, W) float32 in pixels: dy, dx; zero on the border.

        Raises
        ------
        ValueError
            For other shapes, or more modes than differ on the grid.

        Notes
        -----
        Petrini et al. 2021, "Relative stability toward diffeomorphisms", eq. 2.
        """

    def warp(self, images: Any, displacement: Any) -> Any:
        """Return x at r - displacement(r), bilinear, coordinates clamped to the image.

        Parameters
        ----------
        images : (N, C, H, W) float32
        displacement : (N, 2, H, W), pixels: dy, dx

        Returns
        -------
        (N, C, H, W) float32

        Raises
        ------
        ValueError
            For other shapes, or images that are not float32.
        """

    def smooth_color(self, images: Any, coefficients: Any, first_frequency: Any) -> Any:
        """Return clip(x + sum_d a_d sin(pi (k + d) x)), k the first frequency.

        Parameters
        ----------
        images : (N, C, H, W) float32, values in [0, 1]
        coefficients : (N, C, D)
        first_frequency : (N,) int, at least 0

        Returns
        -------
        (N, C, H, W) float32 in [0, 1]

        Raises
        ------
        ValueError
            For other shapes, images that are not float32, or frequencies that are not integers.

        Notes
        -----
        PRIME (Modas et al. 2022), section 3.2, "color".
        """

    def mix(self, chains: Any, weights: Any) -> Any:
        """Return sum_m weights[n, m] chains[m, n], summed in the order of m.

        Parameters
        ----------
        chains : (M, N, C, H, W) float32
        weights : (N, M)

        Returns
        -------
        (N, C, H, W) float32

        Raises
        ------
        ValueError
            For other shapes.
        """

    def prime_views(self, images: Any, steps: PrimeSteps) -> Any:
        """Return the PRIME views of a batch: chains of primitives, mixed with the clean image.

        Parameters
        ----------
        images : (N, C, H, W) float32, values in [0, 1]
        steps : PrimeSteps

        Returns
        -------
        (N, C, H, W) float32

        Raises
        ------
        ValueError
            For images that are not float32, or steps that are not what `PrimeSteps` says.

        Notes
        -----
        PRIME (Modas et al. 2022), algorithm 1.
        """
