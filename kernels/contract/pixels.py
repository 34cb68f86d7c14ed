from typing import Any, Protocol


class Pixels(Protocol):
    """From pixels to images and back."""

    def to_float(self, pixels: Any) -> Any:
        """Return pixels / 255 as images, each quotient correctly rounded.

        Parameters
        ----------
        pixels : (N, H, W, C) uint8

        Returns
        -------
        (N, C, H, W) float32 in [0, 1]

        Raises
        ------
        ValueError
            If `pixels` has another type or shape.
        """

    def to_uint8(self, images: Any) -> Any:
        """Round images to pixels: half to even of clip(x, 0, 1) * 255, the product taken exactly.

        Parameters
        ----------
        images : (N, C, H, W) float32; values outside [0, 1] are clipped

        Returns
        -------
        (N, H, W, C) uint8

        Raises
        ------
        ValueError
            If a value is not finite; names the row of the first sample that has one.
        """
