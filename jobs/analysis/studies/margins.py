"""Margins within subspaces as a study: a part is a family of subspaces, an item one image in one of them.

Items stand subspace by subspace, so that a batch of the model is full whatever the subspace is; DeepFool is told which
subspace each of its samples may move in.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.bases_file import BasesFile, read_bases
from passband.jobs.analysis.options import DctSubspaces, FileSubspaces, MarginOptions, RandomSubspaces
from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.analysis.study import Evaluate, Findings, Layout, Looked, Material, Study
from passband.jobs.common.jobfile import JobError
from passband.kernels import cpu
from passband.pipeline.attacks.deepfool import DeepFool
from passband.pipeline.attacks.norms import l2_norms
from passband.pipeline.attacks.subspaces import DctBlocks, Spans, Subspaces, Within, block_places, random_bases

Family = DctSubspaces | RandomSubspaces | FileSubspaces
_BATCHES = 2
"""Forward passes of images that a block has."""


class MarginRecord(BlockRecord):
    """A block of (subspace, image) pairs, one entry of each list a pair.

    Attributes
    ----------
    margin : l2 norm of the perturbation that leads to the boundary, of images in [0, 1]; null: it was not reached
    """

    margin: list[float | None]
    steps: list[int]


class Margins(Study):
    """Distance to the boundary in each of a sequence of subspaces (METHODS 7.6)."""

    Record = MarginRecord

    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        """Return a part a family; a block takes the images of two forward passes."""
        assert job.surrogate is not None
        options = options_of(job)
        files = {
            name: read_bases(family.path, images.shape)
            for name, family in options.named.items()
            if isinstance(family, FileSubspaces)
        }
        counts = {name: _count(family, images.shape, name, files) for name, family in options.named.items()}
        sizes = {name: count * images.samples for name, count in counts.items()}
        block = min(max(sizes.values()), job.compute.block or _BATCHES * job.surrogate.batch)
        form = {"margins": _form(options, files)}
        return Layout(sizes, block, form, lambda pixels, indices: _kept(options, images.shape, files))

    def open(self, material: Material) -> Evaluate:
        """Measure blocks of margins."""
        options, count = options_of(material.job), len(material.images)
        families = subspaces_of(material)

        def evaluate(part: str, start: int, stop: int) -> dict[str, Any]:
            which, rows = np.divmod(np.arange(start, stop), count)
            limits = options.classes, options.steps, options.overshoot
            walk = DeepFool(material.surrogate, cpu, *limits, within=Within(families[part], which))
            found = walk.run(material.images[rows])
            norms = l2_norms(found.perturbations)
            pairs = zip(norms.tolist(), found.reached.tolist(), strict=True)
            return {"margin": [norm if reached else None for norm, reached in pairs], "steps": found.steps.tolist()}

        return evaluate

    def told(self, found: Analysis) -> list[str]:
        """Spell a row a family: how small and how large its medians are."""
        lines = [f"{'subspaces':<14}{'number':>7}{'median margin':>20}{'unreachable':>13}"]
        for name in dict.fromkeys(row["family"] for row in found.table):
            rows = [row for row in found.table if row["family"] == name]
            medians = [row["median"] for row in rows if row["median"] is not None]
            spread = f"{min(medians):.3f} to {max(medians):.3f}" if medians else "-"
            lost, pairs = sum(row["unreachable"] for row in rows), sum(row["images"] for row in rows)
            lines.append(f"{name[:13]:<14}{len(rows):>7}{spread:>20}{lost / pairs:>13.1%}")
        return lines

    def conclude(self, material: Material, records: Mapping[str, Sequence[MarginRecord]]) -> Findings:
        """Return a row a subspace, and the margins of all images: (J, N), NaN where the boundary was not reached."""
        count, table, evaluations = len(material.images), [], 0
        arrays: dict[str, NDArray[Any]] = {"index": material.inputs.indices, "label": material.inputs.labels}
        for part, subspaces in subspaces_of(material).items():
            blocks = records[part]
            margins = np.array([value for block in blocks for value in block.margin], np.float64).reshape(-1, count)
            steps = np.array([value for block in blocks for value in block.steps], np.int64)
            arrays |= {f"{part}-margins": margins, f"{part}-steps": steps.reshape(margins.shape)}
            family = options_of(material.job).named[part]
            table += [
                {"family": part, "subspace": j, **_place(family, j), "dimension": dimension, **_summary(own)}
                for j, (dimension, own) in enumerate(zip(subspaces.dimensions, margins, strict=True))
            ]
            evaluations += int((steps + 1).sum())
        return Findings({"table": table}, arrays, {}, evaluations)


def options_of(job: AnalyzeJob) -> MarginOptions:
    """Return the options of a job, which `for_command` fills in."""
    return job.margins or MarginOptions.model_validate({})


def subspaces_of(material: Material) -> dict[str, Subspaces]:
    """Return the families by their names, ready to project."""
    found: dict[str, Subspaces] = {}
    for name, family in options_of(material.job).named.items():
        if isinstance(family, DctSubspaces):
            found[name] = DctBlocks(material.shape, family.block, family.step, family.form)
        else:
            kept = sorted(key for key in material.inputs.kept if key.rpartition("-")[0] == name)
            found[name] = Spans(material.shape, [material.inputs.kept[key] for key in kept])
    return found


def _count(family: Family, shape: tuple[int, int, int], name: str, files: Mapping[str, BasesFile]) -> int:
    """Return how many subspaces a family has; raise JobError where they do not fit the images."""
    if isinstance(family, FileSubspaces):
        return len(files[name].bases)
    try:
        return len(block_places(*shape[1:], family.block, family.step))
    except ValueError as error:
        raise JobError(f"margins.subspaces: {name}: {error}") from error


def _kept(options: MarginOptions, shape: tuple[int, int, int], files: Mapping[str, BasesFile]) -> dict[str, Any]:
    """Return the functions that are kept with the inputs: those of the DCT are known, and the others' are made once."""
    kept: dict[str, Any] = {}
    for name, family in options.named.items():
        bases = files[name].bases if isinstance(family, FileSubspaces) else []
        if isinstance(family, RandomSubspaces):
            bases = random_bases(shape, family.block, family.step, family.form, family.seed)
        kept |= {f"{name}-{number:06d}": basis for number, basis in enumerate(bases)}
    return kept


def _form(options: MarginOptions, files: Mapping[str, BasesFile]) -> dict[str, Any]:
    """Return what decides the margins: of a file its content, not where it lies."""
    families = [
        family.model_dump(exclude={"path"})
        | {"name": name}
        | ({"sha256": files[name].sha256} if isinstance(family, FileSubspaces) else {})
        for name, family in options.named.items()
    ]
    return options.model_dump(exclude={"subspaces"}) | {"subspaces": families}


def _place(family: Family, number: int) -> dict[str, int | None]:
    """Return the lowest frequency of a block, where it has one."""
    return {"frequency": None if isinstance(family, FileSubspaces) else number * family.step}


def _summary(margins: NDArray[np.float64]) -> dict[str, Any]:
    """Return the percentiles of the margins of the images whose boundary was reached."""
    reached = margins[~np.isnan(margins)]
    low, median, high = np.percentile(reached, [5, 50, 95]).tolist() if len(reached) else [None] * 3
    unreachable = len(margins) - len(reached)
    return {"images": len(margins), "low": low, "median": median, "high": high, "unreachable": unreachable}


STUDY = Margins()
