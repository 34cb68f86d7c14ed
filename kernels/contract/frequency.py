from typing import Any, Protocol


class Filters(Protocol):
    """Filters in the frequency domain, and in that of singular values."""

    def radial_filter(self, images: Any, low: float, high: float) -> Any:
        """Keep the spatial frequencies at distance low <= d < high from zero frequency.

        Parameters
        ----------
        images : (N, C, H, W) float32
        low, high : float, frequency bins; ``high=inf`` for a high-pass

        Returns
        -------
        (N, C, H, W) float32, not clipped: a hard mask rings.

        Notes
        -----
        The disc is centred on zero frequency for odd sizes too (the HFC code's is not). Wang et al. 2020,
        "High-frequency component helps explain the generalization of convolutional neural networks", section 3.1.
        """

    def dct_filter(self, images: Any, size: int, keep: str) -> Any:
        """Keep one corner of the orthonormal DCT-II: the `size` x `size` lowest or highest coefficients.

        Parameters
        ----------
        images : (N, C, H, W) float32
        size : int, 1..min(H, W)
        keep : "low" (top left) or "high" (bottom right)

        Returns
        -------
        (N, C, H, W) float32, not clipped

        Raises
        ------
        ValueError
            If `keep` or `size` is none of these.

        Notes
        -----
        The two are complements only in a sense: coefficients low in one direction and high in the other are in neither.
        Modas 2022, EPFL thesis, sections 4.3.2 and 4.3.3.
        """

    def dct_flip(self, images: Any) -> Any:
        """Flip the DCT-II of each channel in both directions: low frequencies become high ones. An involution.

        Parameters
        ----------
        images : (N, C, H, W) float32

        Returns
        -------
        (N, C, H, W) float32, not clipped

        Notes
        -----
        Modas 2022, EPFL thesis, section 4.3.1.
        """

    def svd_filter(self, images: Any, rank: int, keep: str) -> Any:
        """Keep the `rank` leading singular components of each channel, or the remaining ones.

        Parameters
        ----------
        images : (N, C, H, W) float32
        rank : int, 1..min(H, W)
        keep : "leading" or "trailing"

        Returns
        -------
        (N, C, H, W) float32, not clipped

        Raises
        ------
        ValueError
            If `keep` or `rank` is none of these.

        Notes
        -----
        Where singular values number `rank` and `rank` + 1 are equal the split is not unique. Wang et al. 2020, section
        8.
        """

    def phase_only(self, images: Any) -> Any:
        """Keep the phase of each channel's spectrum and replace its amplitude by the mean amplitude.

        Parameters
        ----------
        images : (N, C, H, W) float32

        Returns
        -------
        (N, C, H, W) float32, not clipped

        Notes
        -----
        The mean is over all H * W bins of one channel of one image. A bin below 2^-22 of the largest amplitude counts
        as real and positive: its phase would be rounding noise, and full amplitude would make that visible. After the
        released code of Zhang et al. 2023, "When neural networks fail to generalize?".
        """
