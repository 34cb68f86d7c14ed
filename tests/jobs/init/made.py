"""Small real folders of images that differ from one another, for the tests of `passband init`."""

import numpy as np
from PIL import Image


def write_images(root, classes=("cat", "dog"), count=12, size=(40, 36), suffix="png"):
    """Write a folder for each class, with `count` images of `size` (width, height) each."""
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.{suffix}")
    return root
