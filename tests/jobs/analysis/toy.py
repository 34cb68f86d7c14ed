"""A study of somebody else: images whose first pixel is bright, in parts of unlike sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.analysis.studies import Kind
from passband.jobs.analysis.study import Evaluate, Findings, Layout, Looked, Material, Study

TOY = Kind("Look at the first pixels of images.", "looks", __name__)


class ToyRecord(BlockRecord):
    """Sums of pixels."""

    sums: list[float]


class Toy(Study):
    """Every second image is looked at in the part ``half``."""

    Record = ToyRecord

    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        return Layout({"all": images.samples, "half": images.samples // 2}, job.compute.block or 8, {"toy": 1})

    def open(self, material: Material) -> Evaluate:
        step = {"all": 1, "half": 2}

        def evaluate(part: str, start: int, stop: int) -> dict[str, Any]:
            images = material.images[:: step[part]][start:stop]
            return {"sums": [float(image.sum()) for image in images]}

        return evaluate

    def told(self, found: Analysis) -> list[str]:
        return [str(row) for row in found.table]

    def conclude(self, material: Material, records: Mapping[str, Sequence[ToyRecord]]) -> Findings:
        sums = {part: np.concatenate([block.sums for block in blocks]) for part, blocks in records.items()}
        table = [{"part": part, "mean": float(found.mean())} for part, found in sums.items()]
        return Findings({"table": table}, sums, {}, sum(map(len, sums.values())))


STUDY = Toy()
