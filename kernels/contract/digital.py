from typing import Any, Protocol


class Digital(Protocol):
    """Digital faults of the common corruptions: contrast, pixels, and the parts of the elastic transform."""

    def scale_contrast(self, images: Any, factor: float) -> Any:
        """Scale every channel's distance from its mean over the image.

        Parameters
        ----------
        images : (N, C, H, W) float32
        factor : float

        Returns
        -------
        (N, C, H, W) float32, not clipped
        """

    def pixelate(self, images: Any, height: int, width: int) -> Any:
        """Average over a grid of height x width blocks and give every pixel its block's mean.

        Parameters
        ----------
        images : (N, C, H, W) float32
        height : int, 1..H
        width : int, 1..W
            Number of blocks.

        Returns
        -------
        (N, C, H, W) float32

        Raises
        ------
        ValueError
            For another number of blocks.

        Notes
        -----
        Pillow's box filter down and up again, without its rounding to 8 bits in between: blocks are of whole pixels,
        with edges at round(k size / count), halves up, and enlarging takes the block below a pixel's center.
        """

    def separable_blur(self, images: Any, weights: Any) -> Any:
        """Convolve rows and columns with the same symmetric weights; borders are reflected (ba|abc|cb).

        Parameters
        ----------
        images : (N, C, H, W) float32
        weights : (2 R + 1,) float, symmetric; R may exceed the image

        Returns
        -------
        (N, C, H, W) float32

        Raises
        ------
        ValueError
            If the weights are of even number or not symmetric.
        """

    def warp_reflected(self, images: Any, displacement: Any, border: str) -> Any:
        """Return x at r - displacement(r), bilinear; the image is continued by its reflections.

        Parameters
        ----------
        images : (N, C, H, W) float32
        displacement : (N, 2, H, W), pixels: dy, dx
        border : "reflect" (ba|abc|cb) or "mirror" (cb|abc|ba)

        Returns
        -------
        (N, C, H, W) float32

        Raises
        ------
        ValueError
            For other shapes or another border.
        """
