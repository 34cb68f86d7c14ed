"""The singular components of each channel, by cuSOLVER."""

from typing import Any

from passband.kernels.contract import documented
from passband.kernels.cuda.arrays import Array, as_images, empty
from passband.kernels.cuda.device import current
from passband.kernels.cuda.fourier import chunks
from passband.kernels.cuda.matrix import multiply
from passband.kernels.family_checks import check_choice, check_count


@documented
def svd_filter(images: Any, rank: int, keep: str) -> Array:
    """All planes at once up to 32 x 32, one after the other beyond; the bits depend on the library and the GPU."""
    images = as_images(images)
    check_choice("keep", keep, ("leading", "trailing"))
    check_count("rank", rank, min(images.shape[2:]))
    part = slice(None, rank) if keep == "leading" else slice(rank, None)
    out = empty(images.shape)
    for planes, results in chunks(images, out):
        u, s, vt = current().xp.linalg.svd(planes, full_matrices=False)
        results[...] = multiply(u[:, :, part] * s[:, None, part], vt[:, part])
    return out
