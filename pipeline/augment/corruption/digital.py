"""Corruptions of digital origin: contrast, elastic_transform, pixelate, jpeg_compression.

Constants, formulas and the order of the steps: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness
to common corruptions and perturbations", and its public code.
"""

import io
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from passband.pipeline.augment.corruption.masks import gaussian_weights
from passband.pipeline.augment.corruption.tables import Constants
from passband.pipeline.augment.draws import Draws

Images = NDArray[np.float32]
Floats = NDArray[np.float64]

# Purposes in the address of a draw.
CORNERS, FIELD = 1, 2
BLOCK = 1 << 20
"""Pixels that are bent at once: their coordinates in float64 take several times the memory of the images."""


def contrast(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Scale every channel's distance from its mean; constants: the factor."""
    (factor,) = constants
    return kernels.scale_contrast(images, factor)


def elastic_transform(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Map three corners to shifted ones, then move every pixel by smooth noise.

    Parameters
    ----------
    images : (N, C, H, W) float32
    constants : amplitude, sigma, shift
        The noise, uniform on [-1, 1], is blurred by sigma and multiplied by amplitude; corners move by up to shift,
        each way. All in pixels.
    draws : Draws
    kernels : module

    Notes
    -----
    The published code's corners have H and W exchanged, which matters where they differ; not followed.
    """
    rows = max(1, BLOCK // (images.shape[2] * images.shape[3]))
    out = np.empty_like(images)
    for start in range(0, len(images), rows):
        block = slice(start, start + rows)
        out[block] = _bend(images[block], constants, draws.select(np.arange(len(images))[block]), kernels)
    return out


def _bend(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    amplitude, sigma, shift = constants
    count, _, height, width = images.shape
    shifts = shift * (2 * draws.at(purpose=CORNERS).uniforms(6).reshape(count, 3, 2) - 1)
    bent = kernels.warp_reflected(images, affine_displacement(shifts, height, width), "mirror")
    if amplitude == 0:
        return bent
    at = draws.at(purpose=FIELD)
    words = kernels.words(at.key, at.indices, at.view, at.stage, 2 * height * width)
    planes = [((words[:, half] + 0.5) * 2.0**-31 - 1).astype(np.float32) for half in _halves(height * width)]
    del words  # all this is of the size of the images, which may be large
    weights = gaussian_weights(sigma, int(3 * sigma + 0.5))
    field = [kernels.separable_blur(planes.pop(0).reshape(count, 1, height, width), weights) for _ in range(2)]
    displacement = np.concatenate(field, axis=1)
    del field
    displacement *= np.float32(-amplitude)
    return kernels.warp_reflected(bent, displacement, "reflect")


def _halves(size: int) -> tuple[slice, slice]:
    return slice(0, size), slice(size, 2 * size)


def affine_displacement(shifts: Floats, height: int, width: int) -> Floats:
    """Return the displacement, as `warp` takes it, of the affine map that moves three corners of a square.

    Parameters
    ----------
    shifts : (N, 3, 2) float64, pixels: dy, dx
        Of the lower right, upper right and upper left corner of the square of side 2 s about (H // 2, W // 2),
        s = min(H, W) // 3, at least 1.
    height, width : int

    Returns
    -------
    (N, 2, H, W) float64: dy, dx

    Notes
    -----
    With the shifted corners r_k, the pixel at r_1 + a (r_0 - r_1) + b (r_2 - r_1) shows the image at the corners' old
    places in the same proportions, so that a and b, two affine functions of r, are all that is needed. Corners that
    fall in line, which ImageNet's second severity can bring about, have no such a and b: 0 there, as in OpenCV.
    """
    side = 2.0 * max(1, min(height, width) // 3)
    upper_right = np.array([height // 2 - side / 2, width // 2 + side / 2])
    origin = upper_right + shifts[:, 1]
    down, left = shifts[:, 0] - shifts[:, 1], shifts[:, 2] - shifts[:, 1]
    down = down + np.array([side, 0.0])
    left = left + np.array([0.0, -side])
    area = down[:, 0] * left[:, 1] - down[:, 1] * left[:, 0]
    inverse = np.where(area == 0, 0.0, 1 / np.where(area == 0, 1.0, area))[:, None, None]
    columns = np.arange(width)[None, None, :] - origin[:, 1, None, None]
    (down_y, down_x), (left_y, left_x) = (v.T[:, :, None, None] for v in (down, left))
    moved = np.empty((len(shifts), 2, height, width))
    step = max(1, BLOCK // (width * len(shifts)))
    for top in range(0, height, step):
        lines = np.arange(top, min(top + step, height))
        rows = lines[None, :, None] - origin[:, 0, None, None]
        a = (rows * left_x - columns * left_y) * inverse
        b = (columns * down_y - rows * down_x) * inverse
        moved[:, 0, top : top + step] = lines[:, None] - (upper_right[0] + side * a)
        moved[:, 1, top : top + step] = np.arange(width) - (upper_right[1] - side * b)
    return moved


def pixelate(
    images: Images, constants: Constants, draws: Draws, kernels: ModuleType, *, eight_bit: bool = False
) -> Images:
    """Average over blocks; constants: the number of blocks along a side, as a share of its pixels.

    With `eight_bit` Pillow averages, as in the published code: it rounds after rows and after columns, both ways.
    """
    (share,) = constants
    height, width = (max(1, int(size * share)) for size in images.shape[2:])
    if not eight_bit:
        return kernels.pixelate(images, height, width)
    pixels = kernels.to_host(kernels.to_uint8(images))
    for n, channel in np.ndindex(len(pixels), pixels.shape[3]):
        pixels[n, :, :, channel] = _through_blocks(pixels[n, :, :, channel], height, width)
    return kernels.to_float(pixels)


def _through_blocks(plane: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return what is left of (H, W) pixels when they are scaled down to height x width and up again."""
    image = Image.fromarray(np.ascontiguousarray(plane))
    small = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BOX))


def jpeg_compression(images: Images, constants: Constants, draws: Draws, kernels: ModuleType) -> Images:
    """Encode as JPEG, 4:2:0, and decode again; constants: the quality.

    Raises
    ------
    ValueError
        For images of other than 1 or 3 channels.
    """
    (quality,) = constants
    if images.shape[1] not in (1, 3):
        raise ValueError(f"jpeg_compression: needs images of 1 or 3 channels, got {images.shape[1]}")
    pixels = kernels.to_host(kernels.to_uint8(images))
    for n in range(len(pixels)):
        pixels[n] = _through_jpeg(pixels[n], int(quality))
    return kernels.to_float(pixels)


def _through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return what is left of (H, W, C) pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image).reshape(pixels.shape)


DIGITAL = {
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}
"""Name -> function, in the order of the paper."""
