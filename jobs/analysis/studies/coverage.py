"""Coverage as a study: one part, whose items are images with all their corruptions and views.

The corruptions of an image are embedded once, and each recipe's views are set against all of them. Legend: n images,
c corruptions, t views, d features.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.options import CoverageOptions
from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.analysis.stored_views import StoredViews, recipe_job, stage_versions
from passband.jobs.analysis.study import Evaluate, Findings, Layout, Looked, Material, Study
from passband.jobs.dataset.environment import current_environment
from passband.jobs.dataset.spec import GenerateJob, Recipe
from passband.kernels import cpu
from passband.pipeline.augment import Draws

Images = NDArray[np.float32]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PART = "coverage"
EXAMPLES = 6
"""Images that are kept with a corruption of theirs and the views that are nearest to it."""
_PIXELS = 2**18
"""Of all images of a block together, or about so many."""


class CoverageRecord(BlockRecord):
    """A block of images, one entry of each list an image.

    Attributes
    ----------
    distances : [recipe][corruption], the smallest cosine distance of a view
    nearest : [recipe][corruption], number of that view, from 0
    growing : [recipe][level], mean over corruptions of the smallest distance of the first so many views
    """

    distances: list[list[list[float]]]
    nearest: list[list[list[int]]]
    growing: list[list[list[float]]]


class Compared(NamedTuple):
    """What views are set against what corruptions.

    Attributes
    ----------
    corruptions : name -> recipe of view 1, 2 and so on
    recipes : name -> (recipe, number of views); all recipes number them on from the last corruption
    """

    corruptions: dict[str, Recipe]
    recipes: dict[str, tuple[Recipe, int]]


class Coverage(Study):
    """How near views come to corruptions (Modas 2022, equation 5.8; METHODS 7.7)."""

    Record = CoverageRecord

    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        """Return one part; a block has about 2^18 pixels of images."""
        versions: dict[str, int] = {}
        for name in options_of(job).named:
            versions |= stage_versions("coverage", dataset_job(job, name), images.shape)
        _, height, width = images.shape
        block = job.compute.block or max(1, min(64, _PIXELS // (height * width)))
        form = {"coverage": options_of(job).model_dump(), "stages": dict(sorted(versions.items()))}
        return Layout({PART: images.samples}, min(images.samples, block), form, probe=1)

    def environment(self, job: AnalyzeJob) -> dict[str, str]:
        """Return what the views depend on."""
        found: dict[str, str] = {}
        for name in options_of(job).named:
            found |= current_environment(dataset_job(job, name))
        return found

    def open(self, material: Material) -> Evaluate:
        """Measure blocks of images."""
        maker = _Maker(material)

        def evaluate(part: str, start: int, stop: int) -> dict[str, Any]:
            rows = np.arange(start, stop)
            corrupted = _units(maker.embed(rows, maker.corruptions()))
            found: dict[str, list[Any]] = {"distances": [], "nearest": [], "growing": []}
            for recipe in maker.compared.recipes:
                distances = cosine_distances(_units(maker.embed(rows, maker.views(recipe))), corrupted)
                found["distances"].append(distances.min(1))
                found["nearest"].append(distances.argmin(1))
                levels = np.array(levels_of(distances.shape[1]))
                found["growing"].append(np.minimum.accumulate(distances, axis=1)[:, levels - 1].mean(2))
            return {
                column: [[values[row].tolist() for values in recipes] for row in range(len(rows))]
                for column, recipes in found.items()
            }

        return evaluate

    def told(self, found: Analysis) -> list[str]:
        """Spell a row a recipe, as table 5.6 has them: in thousandths."""
        lines = [f"{'views':<26}{'number':>7}{'mean':>12}{'median':>12}", f"{'':<33}{'x 1000':>12}{'x 1000':>12}"]
        lines += [
            f"{row['views'][:25]:<26}{row['copies']:>7}{1000 * row['mean']:>12.3f}{1000 * row['median']:>12.3f}"
            for row in found.table
        ]
        return lines

    def conclude(self, material: Material, records: Mapping[str, Sequence[CoverageRecord]]) -> Findings:
        """Return a row a recipe, the distances of all images and corruptions, and some images."""
        maker, blocks = _Maker(material), records[PART]
        distances = np.array([image for block in blocks for image in block.distances])  # n, recipe, c
        nearest = np.array([image for block in blocks for image in block.nearest])
        growing = [[image[number] for block in blocks for image in block.growing] for number in range(len(maker))]
        arrays: dict[str, NDArray[Any]] = {"index": material.inputs.indices, "label": material.inputs.labels}
        table = []
        for number, (name, (_, copies)) in enumerate(maker.compared.recipes.items()):
            arrays |= {f"{name}-distances": distances[:, number], f"{name}-nearest": nearest[:, number]}
            means = np.mean(growing[number], axis=0).tolist()
            table.append(
                {
                    "views": name,
                    "copies": copies,
                    "images": len(distances),
                    "mean": float(distances[:, number].mean()),
                    "median": float(np.median(distances[:, number])),
                    "growing": [list(pair) for pair in zip(levels_of(copies), means, strict=True)],
                    "corruptions": dict(
                        zip(maker.compared.corruptions, distances[:, number].mean(0).tolist(), strict=True)
                    ),
                }
            )
        arrays |= _examples(maker, nearest)
        shown = sum(copies for _, copies in maker.compared.recipes.values()) + len(maker.compared.corruptions)
        return Findings({"table": table}, arrays, {}, shown * len(distances))


def options_of(job: AnalyzeJob) -> CoverageOptions:
    """Return the options of a job, which `for_command` fills in."""
    return job.coverage or CoverageOptions.model_validate({})


def dataset_job(job: AnalyzeJob, name: str) -> GenerateJob:
    """Return the job of a dataset that stores what a recipe is compared by: clean, the corruptions, then its views.

    Raises
    ------
    JobError
        If that is no such job; names what is wrong.
    """
    options = options_of(job)
    return recipe_job(job, options, name, "coverage", options.corruptions.entries())


def compared_of(job: AnalyzeJob) -> Compared:
    """Return what is compared with what, by the recipes of the datasets that store it."""
    options, recipes = options_of(job), {}
    number = len(options.corruptions.entries())
    corruptions: dict[str, Recipe] = {}
    for name, entry in options.named.items():
        stored = dataset_job(job, name).view_recipes()[1:]
        corruptions = dict(stored[:number])
        recipes[name] = (stored[number][1] if len(stored) > number else [], entry.copies)
    return Compared(corruptions, recipes)


def levels_of(copies: int) -> list[int]:
    """Return the numbers of views that are told of: powers of two below `copies`, and that."""
    return [*(2**power for power in range((copies - 1).bit_length())), copies]


def cosine_distances(views: Floats, corrupted: Floats) -> Floats:
    """Return 1 - cosine of every view and every corruption of each image.

    Parameters
    ----------
    views, corrupted : (n, t, d), (n, c, d) of length 1, or 0 for embeddings that are zero

    Returns
    -------
    (n, t, c), at least 0; without BLAS, and image by image, so that no bit depends on the others
    """
    cosines = [np.einsum("td,cd->tc", *pair) for pair in zip(views, corrupted, strict=True)]
    return np.maximum(1 - np.stack(cosines), 0)


def _units(features: NDArray[np.float32]) -> Floats:
    """Return features scaled to length 1; those that are all zero stay so."""
    wide = features.astype(np.float64)
    norms = np.sqrt(np.einsum("ntd,ntd->nt", wide, wide))[..., None]
    return np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0)


class _Maker:
    """Makes and embeds the corruptions and views of the images that are looked at."""

    def __init__(self, material: Material) -> None:
        self._material, self.compared, self.images = material, compared_of(material.job), material.images
        made = (material.shape, material.classes)
        self._corrupted = [StoredViews(recipe, *made) for recipe in self.compared.corruptions.values()]
        self._recipes = {name: StoredViews(recipe, *made) for name, (recipe, _) in self.compared.recipes.items()}

    def __len__(self) -> int:
        return len(self._recipes)

    def corruptions(self) -> list[Callable[[Integers], Images]]:
        """Return what makes each corruption of the images in some rows."""
        return [self._of(views, number) for number, views in enumerate(self._corrupted, start=1)]

    def views(self, recipe: str) -> list[Callable[[Integers], Images]]:
        """Return what makes each view of a recipe."""
        first = len(self._corrupted) + 1
        return [self._of(self._recipes[recipe], first + copy) for copy in range(self.compared.recipes[recipe][1])]

    def _of(self, views: StoredViews, number: int) -> Callable[[Integers], Images]:
        inputs, key = self._material.inputs, self._material.key
        return lambda rows: views.view(self.images[rows], inputs.labels[rows], Draws(key, inputs.indices[rows], number))

    def embed(self, rows: Integers, makers: Sequence[Callable[[Integers], Images]]) -> NDArray[np.float32]:
        """Return the embeddings of what each makes of the images in `rows`: (n, len(makers), d)."""
        batch = self._material.surrogate.batch
        together = max(1, batch // len(rows))
        found = [
            features
            for start in range(0, len(makers), together)
            for features in self._embed_all(np.concatenate([make(rows) for make in makers[start : start + together]]))
        ]
        return np.concatenate(found).reshape(len(makers), len(rows), -1).transpose(1, 0, 2)

    def _embed_all(self, images: Images) -> Iterator[NDArray[np.float32]]:
        surrogate = self._material.surrogate
        return (surrogate.embed(images[at : at + surrogate.batch]) for at in range(0, len(images), surrogate.batch))


def _examples(maker: _Maker, nearest: Integers) -> dict[str, NDArray[Any]]:
    """Return some images, each with a corruption and the nearest view of every recipe: (E, 2 + recipes, H, W, C)."""
    count, columns = min(EXAMPLES, len(nearest)), nearest.shape[2]
    which, shown = [place * columns // count for place in range(count)], []
    corruptions = maker.corruptions()
    for row, column in enumerate(which):
        rows = np.array([row])
        near = [maker.views(name)[nearest[row, number, column]] for number, name in enumerate(maker.compared.recipes)]
        pictures = [maker.images[rows], corruptions[column](rows), *(make(rows) for make in near)]
        shown.append(cpu.to_uint8(np.concatenate(pictures)))
    return {"examples": np.stack(shown), "example-corruptions": np.array(which)}


STUDY = Coverage()
