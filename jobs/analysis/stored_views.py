"""Views of images in memory, exactly as a dataset stores them: by the same stages, draws and rounding."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from passband.jobs.dataset.spec import Recipe
from passband.kernels import cpu
from passband.pipeline.augment import AUGMENTATIONS, Draws

Images = NDArray[np.float32]
Integers = NDArray[np.int64]


class StoredViews:
    """Makes the views of one recipe, whose stages read no files.

    Parameters
    ----------
    shape : (C, H, W) of the images
    classes : names of their classes
    """

    def __init__(self, recipe: Recipe, shape: tuple[int, int, int], classes: Sequence[str]) -> None:
        self._stages = [
            AUGMENTATIONS[name](options, shape=shape, kernels=cpu, classes=classes) for name, options in recipe
        ]

    def view(self, images: Images, labels: Integers, draws: Draws) -> Images:
        """Return one view of each image, (N, C, H, W) float32, multiples of 1/255.

        Parameters
        ----------
        draws : the streams of these images at the view's number
        """
        made = images
        for position, stage in enumerate(self._stages):
            made = stage.apply(made, labels, draws.at(position=position)).images
        return made if made is images else cpu.to_float(cpu.to_uint8(made))
