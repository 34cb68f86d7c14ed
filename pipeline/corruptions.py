"""The common corruptions by name: what jobs may ask for, known without the kernels that make them."""

from typing import Any, Literal, get_args

Name = Literal[
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
]
NAMES: tuple[Name, ...] = get_args(Name)
"""Those of Hendrycks & Dietterich 2019, in the order of the paper; ``all`` means these."""
TableName = Literal["cifar", "tiny", "imagenet"]
"""Sets of constants, after the images that they are meant for."""
SEVERITIES = 5
"""Severities are 0, the image itself, to this."""


def all_types(given: Any) -> Any:
    """Return the names of all types for the word ``all``, and anything else as it is."""
    return list(NAMES) if given == "all" else given
