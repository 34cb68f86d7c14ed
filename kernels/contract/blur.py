from typing import Any, Protocol


class Blurs(Protocol):
    """Blurs of the common corruptions: weighted taps, resampling, shuffled pixels."""

    def tap_filter(self, images: Any, offsets: Any, weights: Any, border: str) -> Any:
        """Return sum_k w_k x(r + offset_k).

        Parameters
        ----------
        images : (N, C, H, W) float32
        offsets : (N, K, 2) or (1, K, 2) int
            Rows, columns; a sample's own, or the same for all.
        weights : (K,)
        border : "nearest" (aaa|abc|ccc), "mirror" (cb|abc|ba) or "reflect" (ba|abc|cb)

        Returns
        -------
        (N, C, H, W) float32, not clipped
        """

    def resample(self, images: Any, rows: Any, columns: Any) -> Any:
        """Return the mean over z of the image at (rows[z], columns[z]), bilinear, coordinates clamped to the image.

        Parameters
        ----------
        images : (N, C, H, W) float32
        rows : (Z, H'), pixels
        columns : (Z, W'), pixels

        Returns
        -------
        (N, C, H', W') float32
        """

    def shuffle_pixels(self, images: Any, words: Any, reach: int) -> Any:
        """Give pixels, one after another, the value that a near pixel has at that time.

        Parameters
        ----------
        images : (N, C, H, W) float32
        words : (N, R, H, W) uint32
            Say where pixel (y, x) looks in round r: y - reach + u 2 reach // 2^16, u the upper half of the word, and x
            likewise by its lower half.
        reach : int, at least 1

        Returns
        -------
        (N, C, H, W) float32

        Notes
        -----
        Rows H - reach down to reach + 1 and columns W - reach down to reach + 1 take part, in that order, as in the
        published code. What reads as an exchange of two pixels there is a copy: both sides of the assignment are views
        of one array, so the other pixel gets its own value back. The published images have it, and so do we.
        """
