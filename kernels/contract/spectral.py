from typing import Any, Protocol


class Spectra(Protocol):
    """What SADA does to amplitude spectra.

    Half spectra are (N, C, H, K), K = W//2 + 1, zero frequency at (0, 0).
    """

    def half_spectrum(self, images: Any) -> Any:
        """Return the unnormalised FFT at the frequencies that are not another's mirror image.

        Parameters
        ----------
        images : (N, C, H, W) float32

        Returns
        -------
        (N, C, H, W//2 + 1) complex64
        """

    def from_half_spectrum(self, spectra: Any, width: int) -> Any:
        """Return the images of half spectra.

        Parameters
        ----------
        spectra : (N, C, H, K) complex64
        width : int, K = width//2 + 1

        Returns
        -------
        (N, C, H, width) float32, not clipped

        Notes
        -----
        What the mirror images of a bin in the first column (and, for an even width, in the last) disagree about does
        not count, as in the real part of the inverse of a full spectrum.
        """

    def amplitude_phase(self, images: Any) -> tuple[Any, Any]:
        """Return amplitude and phase of the half spectrum.

        Parameters
        ----------
        images : (N, C, H, W) float32

        Returns
        -------
        amplitude, phase : (N, C, H, W//2 + 1) float32 each
            F = A exp(i P), unnormalised; phases in radians, (-pi, pi].

        Notes
        -----
        Zhang et al. 2023, "When neural networks fail to generalize? A model sensitivity perspective", section 3.
        """

    def from_amplitude_phase(self, amplitude: Any, phase: Any, width: int) -> Any:
        """Return the images that have these half spectra.

        Parameters
        ----------
        amplitude, phase : (N, C, H, K) float32
        width : int, K = width//2 + 1

        Returns
        -------
        (N, C, H, width) float32, not clipped

        Raises
        ------
        ValueError
            If `width` does not fit K, or the shapes differ.
        """

    def amplitude_gradient(self, image_gradient: Any, phase: Any) -> Any:
        """Return dl/dA = Re(exp(-iP) FFT(dl/dx)) / (H W).

        Parameters
        ----------
        image_gradient : (N, C, H, W) float32
            Gradient of a loss by the image that a full amplitude spectrum A and phase P give: x = Re IFFT(A exp(iP)).
        phase : (N, C, H, K) float32

        Returns
        -------
        (N, C, H, K) float32
            The gradient by A at the bins of the half spectrum; that at a bin's mirror image is equal.
        """

    def amplitude_step(self, amplitude: Any, gradient: Any, sensitivity: Any, step_size: float) -> Any:
        """Return max(0, A (1 + step_size sign(gradient) S)): one ascent step on amplitudes (Zhang et al. 2023, eq. 7).

        Parameters
        ----------
        amplitude, gradient : (N, C, H, K) float32
        sensitivity : (H, K) float32
            S, shared by the batch, in FFT layout and used as given: a caller that wants 1 + map adds the 1.
        step_size : float
        """

    def scale_spectrum(self, spectra: Any, factors: Any) -> Any:
        """Return F max(0, factors): amplitudes are scaled, phases are kept.

        Parameters
        ----------
        spectra : (N, C, H, K) complex64
        factors : (N, C, H, K) float32
        """

    def ascend_spectrum(self, spectra: Any, image_gradient: Any, sensitivity: Any, step_size: float) -> Any:
        """Return spectra whose amplitudes took an `amplitude_step` up the gradient; no angle is taken.

        Parameters
        ----------
        spectra : (N, C, H, K) complex64
        image_gradient : (N, C, H, W) float32
        sensitivity : (H, K) float32
        step_size : float

        Notes
        -----
        dl/dA has the sign of Re(conj(F) FFT(dl/dx)), since A > 0 wherever it matters.
        """

    def symmetric_noise(self, words: Any, limit: float) -> Any:
        """Return (U + mirror(U)) / 2 on the half spectrum, U uniform in (-limit, limit) on the full grid.

        Parameters
        ----------
        words : (N, C, H, W) uint32
            One for each bin of the full grid: U = limit (2 (word + 1/2) / 2^32 - 1).
        limit : float

        Returns
        -------
        (N, C, H, W//2 + 1) float32

        Notes
        -----
        The real part of the inverse FFT of an asymmetric amplitude spectrum is the inverse of its symmetric part, so
        this is what the full grid's draw does to an image; independent draws on the half grid would be sqrt(2) too
        large.
        """

    def symmetric_signs(self, words: Any, width: int) -> Any:
        """Return +1 or -1 for each bin of a half spectrum, equal for a bin and its mirror image.

        Parameters
        ----------
        words : (N, C, H, W//2 + 1) uint32
            -1 where the highest bit is set. Of two bins of one column that mirror each other the upper row decides.
        width : int
        """

    def fourier_basis(self, height: int, width: int, i: int, j: int) -> Any:
        """Return the real image of unit l2 norm that has only frequency (i, j) and its mirror image.

        Parameters
        ----------
        height, width : int, at least 1
        i, j : int
            Row and column of the frequency in FFT layout, 0 <= i < height, 0 <= j < width.

        Returns
        -------
        (H, W) float32, the cosine of that frequency; a caller chooses the sign

        Raises
        ------
        ValueError
            If (i, j) is no frequency of such an image.

        Notes
        -----
        U_ij of Zhang et al. 2023, eq. 2, after Yin et al. 2019, "A Fourier perspective on model robustness".
        """
