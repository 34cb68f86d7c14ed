"""Spectra of views as a study: a part is a recipe or a stored view, an item one view of one image; without a model.

Items stand copy by copy, so that a block makes the views of many images at once. Legend: n images, t copies of a
recipe, j subspaces.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from passband.jobs.analysis.dataset_views import CLEAN, check_dataset, read_views
from passband.jobs.analysis.options import SpectrumOptions
from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.analysis.stored_views import StoredViews, recipe_job, stage_versions
from passband.jobs.analysis.study import Evaluate, Findings, Layout, Looked, Material, Study
from passband.jobs.common.jobfile import JobError
from passband.jobs.dataset.environment import current_environment
from passband.jobs.dataset.spec import GenerateJob
from passband.kernels.cpu.pixels import to_float
from passband.pipeline.attacks.energy import energy_shares
from passband.pipeline.attacks.subspaces import DctBlocks, block_places
from passband.pipeline.augment import Draws

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Shares = list[list[float] | None]
OWN, ADDED = "own", "added"
_STORED = "spectrum.stored"
_PIXELS, _IMAGES = 2**18, 256
"""Of all images of a block together, or about so many; and images of a block, at most."""


class SpectrumRecord(BlockRecord):
    """A block of views, one entry of each list a view: its share of energy in each subspace; null: it has none.

    Attributes
    ----------
    own : of the view itself
    added : of what the view adds to the clean image
    """

    own: Shares
    added: Shares


class Spectrum(Study):
    """How energy is spread along the diagonal of the DCT (METHODS 7.8)."""

    Record = SpectrumRecord

    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        """Return a part a recipe or stored view; a block has about 2^18 pixels of images."""
        options, (_, height, width) = options_of(job), images.shape
        block, step = options.spacing(height, width)
        try:
            block_places(height, width, block, step)
        except ValueError as error:
            raise JobError(f"spectrum: {error}") from error
        versions: dict[str, int] = {}
        for name in options.named:
            versions |= stage_versions("spectrum", dataset_job(job, name), images.shape)
        told = options.model_dump() | {"block": block, "step": step}
        form: dict[str, Any] = {"spectrum": told, "stages": dict(sorted(versions.items()))}
        if options.stored is not None:
            told["stored"].pop("path")
            form["dataset"] = check_dataset(_STORED, options.stored, images.shape)
        sizes = {name: copies * images.samples for name, copies in _copies(options).items()}
        items = job.compute.block or max(1, min(_IMAGES, _PIXELS // (height * width)))
        return Layout(sizes, min(max(sizes.values()), items), form, lambda *given: _kept(options, *given), probe=4)

    def environment(self, job: AnalyzeJob) -> dict[str, str]:
        """Return what the views depend on."""
        found: dict[str, str] = {}
        for name in options_of(job).named:
            found |= current_environment(dataset_job(job, name))
        return found

    def open(self, material: Material) -> Evaluate:
        """Measure blocks of views."""
        job, made = material.job, (material.shape, material.classes)
        blocks, kept = subspaces_of(material), options_of(job).mean == "kept"
        makers = {
            name: StoredViews(dataset_job(job, name).view_recipes()[-1][1], *made) for name in options_of(job).named
        }

        def view(part: str, rows: Integers, number: int) -> NDArray[np.float32]:
            if part not in makers:
                return to_float(material.inputs.kept[part][rows])
            draws = Draws(material.key, material.inputs.indices[rows], number)
            return makers[part].view(material.images[rows], material.inputs.labels[rows], draws)

        def evaluate(part: str, start: int, stop: int) -> dict[str, Any]:
            found: dict[str, Shares] = {OWN: [], ADDED: []}
            for rows, number in _by_copy(start, stop, len(material.images)):
                views = view(part, rows, number).astype(np.float64)
                for which, images in ((OWN, views), (ADDED, views - material.images[rows])):
                    found[which] += [_shares(image if kept else without_mean(image), blocks) for image in images]
            return found

        return evaluate

    def told(self, found: Analysis) -> list[str]:
        """Spell the median share of the first, the middle and the last subspace, in percent."""
        lines = [f"{'energy, median %':<30}{'lowest':>10}{'middle':>10}{'highest':>10}"]
        for name, energy in dict.fromkeys((row["views"], row["energy"]) for row in found.table):
            medians = [row["median"] for row in found.table if (row["views"], row["energy"]) == (name, energy)]
            label = name[:29] if energy == OWN else f"{name[:21]} - clean"
            cells = (medians[0], medians[len(medians) // 2], medians[-1])
            lines.append(f"{label:<30}" + "".join(f"{_percent(value):>10}" for value in cells))
        return lines

    def conclude(self, material: Material, records: Mapping[str, Sequence[SpectrumRecord]]) -> Findings:
        """Return a row a part, energy and subspace, and the shares of all views: (t, n, j), NaN without energy."""
        options, count, subspaces = options_of(material.job), len(material.images), len(subspaces_of(material))
        _, step = options.spacing(*material.shape[1:])
        arrays: dict[str, NDArray[Any]] = {"index": material.inputs.indices, "label": material.inputs.labels}
        table: list[dict[str, Any]] = []
        for name, copies in _copies(options).items():
            for energy in (OWN,) if name == CLEAN else (OWN, ADDED):
                rows = [row for block in records[name] for row in getattr(block, energy)]
                shares = np.array([[np.nan] * subspaces if row is None else row for row in rows])
                arrays[f"{name}-{energy}"] = shares.reshape(copies, count, subspaces)
                table += [
                    {"views": name, "energy": energy, "subspace": j, "frequency": j * step, **_summary(shares[:, j])}
                    for j in range(subspaces)
                ]
        return Findings({"table": table}, arrays, {}, 0)


def options_of(job: AnalyzeJob) -> SpectrumOptions:
    """Return the options of a job, which `for_command` fills in."""
    return job.spectrum or SpectrumOptions.model_validate({})


def dataset_job(job: AnalyzeJob, name: str) -> GenerateJob:
    """Return the job of a dataset that stores the views of a recipe: clean, then these.

    Raises
    ------
    JobError
        If that is no such job; names what is wrong.
    """
    return recipe_job(job, options_of(job), name, "spectrum", ())


def _copies(options: SpectrumOptions) -> dict[str, int]:
    """Return how many views of each image every part has."""
    return {name: entry.copies for name, entry in options.named.items()} | dict.fromkeys(options.stored_names, 1)


def _kept(options: SpectrumOptions, pixels: NDArray[np.uint8], indices: NDArray[np.uint32]) -> dict[str, NDArray[Any]]:
    """Return the stored views, which are kept with the images: workers need not reach the dataset."""
    return {} if options.stored is None else dict(read_views(_STORED, options.stored, pixels, indices))


def subspaces_of(material: Material) -> DctBlocks:
    """Return the blocks along the diagonal, ready to project."""
    return DctBlocks(material.shape, *options_of(material.job).spacing(*material.shape[1:]))


def without_mean(image: Floats) -> Floats:
    """Return an image, (C, H, W), less the mean of each channel; a channel of one value becomes zeros, exactly."""
    flat = (image == image[:, :1, :1]).all((1, 2), keepdims=True)
    return np.where(flat, 0.0, image - image.mean((1, 2), keepdims=True))


def _by_copy(start: int, stop: int, count: int) -> Iterator[tuple[Integers, int]]:
    """Yield the images of items start .. stop - 1, and the number of their view, 1 for the first copy."""
    copies, rows = np.divmod(np.arange(start, stop), count)
    for copy in range(start // count, (stop - 1) // count + 1):
        yield rows[copies == copy], copy + 1


def _shares(image: Floats, blocks: DctBlocks) -> list[float] | None:
    """Return the shares of an image by itself, so that no bit depends on the others; None where it is zero."""
    shares = energy_shares(torch.from_numpy(image)[None], blocks)
    return shares[0].tolist() if len(shares) else None


def _summary(shares: Floats) -> dict[str, Any]:
    """Return the percentiles over the views that have energy."""
    there = shares[~np.isnan(shares)]
    low, median, high = np.percentile(there, [5, 50, 95]).tolist() if len(there) else [None] * 3
    return {"images": len(shares), "low": low, "median": median, "high": high, "without": len(shares) - len(there)}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"


STUDY = Spectrum()
