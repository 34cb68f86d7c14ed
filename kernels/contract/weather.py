from typing import Any, Protocol


class Weather(Protocol):
    """Weather of the common corruptions: brightness, and the height map that fog is drawn from."""

    def brighten(self, images: Any, amount: float) -> Any:
        """Raise the value of every pixel in HSV by `amount`, hue and saturation kept.

        Parameters
        ----------
        images : (N, C, H, W) float32 in [0, 1]
        amount : float

        Returns
        -------
        (N, C, H, W) float32 in [0, 1], to rounding

        Notes
        -----
        The value V is the largest channel. With hue and saturation kept every channel is proportional to V, so that no
        conversion is needed: x V' / V, V' = clip(V + amount, 0, 1); black has saturation 0 and becomes the grey V'.
        """

    def plasma_fractal(self, noise: Any, decay: float) -> Any:
        """Return a height map by the diamond-square algorithm on a torus, scaled to [0, 1].

        Parameters
        ----------
        noise : (N, M, M), M a power of two from 2 on
            Uniform on [-1, 1]: what each point adds to the mean of its four neighbours of the level above. That of
            point (0, 0), where the map begins, is not used.
        decay : float
            The amplitude of the noise falls by decay^2 from a level to the next.

        Returns
        -------
        (N, M, M) float32; least 0 and largest 1 in each map

        Raises
        ------
        ValueError
            For other shapes.

        Notes
        -----
        decay^2 is that of the public code of Hendrycks & Dietterich, whose amplitude enters twice. Fournier, Fussell &
        Carpenter 1982, "Computer rendering of stochastic models"; diamond-square as Miller 1986.
        """
