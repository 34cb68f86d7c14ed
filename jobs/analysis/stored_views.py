"""Views of images in memory, exactly as a dataset stores them: by the same stages, draws and rounding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.options import RecipeOptions
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.common.jobfile import JobError, validated
from passband.jobs.dataset.spec import GenerateJob, Recipe, check_stages
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


def recipe_job(job: AnalyzeJob, options: RecipeOptions, name: str, section: str, others: Sequence[Any]) -> GenerateJob:
    """Return the job of a dataset that stores clean, `others`, then the views of a recipe.

    Parameters
    ----------
    section : of the job file, for errors
    others : views, as a job of kind generate names them

    Raises
    ------
    JobError
        If that is no such job; names what is wrong.
    """
    entry = options.model_dump()["views"][list(options.named).index(name)]
    views = ["clean", *others, *([] if entry == "clean" else [entry])]
    dataset: GenerateJob = validated(GenerateJob, {**job.images().resolved(), "views": views}, section)
    return dataset


def stage_versions(section: str, dataset: GenerateJob, shape: tuple[int, int, int]) -> dict[str, int]:
    """Return the version of every stage of a dataset's views.

    Parameters
    ----------
    section : of the job file, for errors

    Raises
    ------
    JobError
        If one of its views cannot be made in memory as it would be stored; names view and stage.
    """
    try:
        check_stages(dataset, shape)
    except ValueError as error:
        raise JobError(f"{section}.views: {error}") from error
    for name, recipe in dataset.view_recipes():
        for stage, options in recipe:
            _refuse_files(f"{section}.views: {name}", stage, options)
    return {stage: AUGMENTATIONS[stage].version for _, recipe in dataset.view_recipes() for stage, _ in recipe}


def _refuse_files(where: str, stage: str, options: Any) -> None:
    """Refuse stages that read files, and those that make no pixels."""
    if AUGMENTATIONS[stage].inputs(options):
        raise JobError(f"{where}: {stage} reads files or attacks a model; allowed: stages that do not")
    if getattr(options, "range", None) == "float":
        raise JobError(f"{where}: {stage}: range float makes no pixels; use clip, shift or minmax")
