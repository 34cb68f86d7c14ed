"""Sensitivity maps as a study: a part is a map, an item one of its distinct frequencies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.counting import Subject, count_wrong
from passband.jobs.analysis.frequencies import distinct_frequencies
from passband.jobs.analysis.mapping import found_maps, told_maps
from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis, summarize
from passband.jobs.analysis.sensitivity import block_ranges, error_map, mean_error, noise_norms
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.analysis.study import Evaluate, Findings, Layout, Looked, Material, Study
from passband.jobs.common.jobfile import JobError
from passband.pipeline.layout import MAPS

Integers = NDArray[np.int64]


class MapRecord(BlockRecord):
    """A block of frequencies.

    Attributes
    ----------
    wrong : [frequency][class], images that are misclassified
    by_image : entries of the map, of this block, that misclassify each image; null where all images are looked at
    """

    wrong: list[list[int]]
    by_image: list[int] | None
    passes: int


class Sensitivity(Study):
    """Zhang et al. 2023, eq. 2 and 4; METHODS 3.2."""

    Record = MapRecord
    arrays = MAPS

    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        """Return a part a map; a block takes about 256 forward passes."""
        assert job.surrogate is not None
        try:
            job.check_stride(*images.shape[1:])
        except ValueError as error:
            raise JobError(f"{job.name}: {error}") from error
        count = len(distinct_frequencies(*images.shape[1:], job.stride))
        _, block = block_ranges(count, images.samples, job.surrogate.batch, job.compute.block)[0]
        form = {"scale": job.scale, "maps": sorted(job.maps), "norm": job.norm}
        form |= {} if job.stride == 1 else {"stride": job.stride}
        return Layout({name: count for name in job.maps}, block, form, with_amplitude="enhanced" in job.maps)

    def open(self, material: Material) -> Evaluate:
        """Count the errors of blocks of frequencies."""
        inputs, job = material.inputs, material.job
        subject = Subject(
            material.images,
            inputs.labels,
            inputs.indices,
            material.key,
            material.surrogate,
            len(material.classes),
            job.stride,
        )

        def evaluate(name: Any, start: int, stop: int) -> dict[str, Any]:
            norms = noise_norms(name, job.options(), inputs.amplitude, *material.shape[1:])
            counts = count_wrong(subject, name, norms, start, stop)
            return {
                "wrong": counts.wrong.tolist(),
                "by_image": None if job.subset is None else counts.by_image.tolist(),
                "passes": counts.passes,
                "model_seconds": round(counts.model_seconds, 6),
            }

        return evaluate

    def told(self, found: Analysis) -> list[str]:
        """Spell the maps, a row each."""
        return told_maps(found)

    def conclude(self, material: Material, records: Mapping[str, Sequence[MapRecord]]) -> Findings:
        """Return the maps, centered, with their pictures in one scale of colors."""
        inputs, (_, height, width) = material.inputs, material.shape
        maps, summaries = {}, []
        for name, blocks in records.items():
            wrong = np.concatenate([np.array(record.wrong, np.int64) for record in blocks])
            maps[name] = error_map(wrong, inputs.strata, height, width, material.job.stride)
            by_image = _by_image(blocks, len(inputs.labels))
            error = mean_error(by_image, inputs.strata, inputs.labels, height * width)
            evaluated = None if material.job.stride == 1 else len(wrong)
            summaries.append(summarize(name, maps[name], error, evaluated))
        looks = sum(record.stop - record.start for blocks in records.values() for record in blocks)
        return found_maps(maps, summaries, looks * len(inputs.labels))


def _by_image(blocks: Sequence[MapRecord], images: int) -> Integers:
    """Return how many entries of a map misclassify each image: (n,); zeros without a subset."""
    total = np.zeros(images, np.int64)
    for record in blocks:
        total += 0 if record.by_image is None else np.array(record.by_image, np.int64)
    return total


STUDY = Sensitivity()
