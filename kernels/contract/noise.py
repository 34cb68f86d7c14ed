from typing import Any, Protocol


class Noise(Protocol):
    """Noise of the common corruptions, and noise of single frequencies."""

    def gaussian_noise(self, images: Any, scale: float, normals: Any) -> Any:
        """Return x + scale z.

        Parameters
        ----------
        images, normals : (N, C, H, W) float32
        scale : float

        Returns
        -------
        (N, C, H, W) float32, not clipped
        """

    def shot_noise(self, images: Any, rate: float, words: Any) -> Any:
        """Return k / rate, k Poisson of mean rate x: the least k with CDF(k) >= (word + 1/2) / 2^32.

        Parameters
        ----------
        images : (N, C, H, W) float32
            Taken to the nearest of the 256 levels of [0, 1], as the images of the published code are.
        rate : float, above 0
            Mean count where x = 1.
        words : (N, C, H, W) uint32

        Returns
        -------
        (N, C, H, W) float32, not clipped
        """

    def impulse_noise(self, images: Any, amount: float, words: Any) -> Any:
        """Replace a share of the values by 1 or 0: a word below amount 2^32 strikes, below half of that it is salt.

        Parameters
        ----------
        images : (N, C, H, W) float32
        amount : float in [0, 1]
        words : (N, C, H, W) uint32

        Returns
        -------
        (N, C, H, W) float32
        """

    def add_basis(self, images: Any, rows: Any, basis: Any, frequencies: Any, amplitudes: Any) -> Any:
        """Return images[rows[m]] + amplitudes[m] basis[frequencies[m]] for every m.

        Parameters
        ----------
        images : (N, C, H, W) float32
        rows : (M,) int, which image
        basis : (F, H, W) float32, a real image for each frequency
        frequencies : (M,) int, which basis image
        amplitudes : (M, C) float32, with their sign

        Returns
        -------
        (M, C, H, W) float32, not clipped

        Raises
        ------
        ValueError
            For other shapes, or positions that do not exist.
        """
