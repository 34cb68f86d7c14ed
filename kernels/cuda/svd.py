"""The singular components of each channel, by cuSOLVER."""

from typing import Any

from passband.kernels.cuda.arrays import Array, as_images, empty
from passband.kernels.cuda.device import current
from passband.kernels.cuda.fourier import chunks
from passband.kernels.cuda.matrix import multiply
from passband.kernels.reference.frequency import check_choice, check_count


def svd_filter(images: Any, rank: int, keep: str) -> Array:
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
    All planes at once up to 32 x 32, one after the other beyond; the bits depend on the library and the GPU. Where
    singular values number `rank` and `rank` + 1 are equal the split is not unique. Wang et al. 2020, section 8.
    """
    images = as_images(images)
    check_choice("keep", keep, ("leading", "trailing"))
    check_count("rank", rank, min(images.shape[2:]))
    part = slice(None, rank) if keep == "leading" else slice(rank, None)
    out = empty(images.shape)
    for planes, results in chunks(images, out):
        u, s, vt = current().xp.linalg.svd(planes, full_matrices=False)
        results[...] = multiply(u[:, :, part] * s[:, None, part], vt[:, part])
    return out
