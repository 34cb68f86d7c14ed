"""Minimal perturbations as a study: a part is a method, an item an image.

What ``random`` changes depends on what SparseFool changed of all images, so it comes last, a
forward pass an image.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from passband.jobs.analysis.noise_pixels import median_elements, with_random_elements
from passband.jobs.analysis.options import AttackOptions
from passband.jobs.analysis.record import BlockRecord
from passband.jobs.analysis.results import Analysis
from passband.jobs.analysis.spec import AnalyzeJob
from passband.jobs.analysis.study import Evaluate, Findings, Layout, Looked, Material, Study
from passband.jobs.common.jobfile import JobError
from passband.kernels import cpu
from passband.pipeline.attacks.deepfool import DeepFool
from passband.pipeline.attacks.norms import l2_norms
from passband.pipeline.attacks.sparsefool import SparseFool
from passband.pipeline.problems import nearest

Images = NDArray[np.float32]
Integers = NDArray[np.int64]
_BATCHES = 2
"""Forward passes of images that a block has."""
EXAMPLES = 6
"""Images that are kept as they were and as they became."""


class AttackRecord(BlockRecord):
    """A block of images, one entry of each list an image.

    Attributes
    ----------
    own, predictions : classes of the image as it was and as it became
    reached : whether it became one of another class, or of the target
    steps, rounds : of DeepFool, and linear problems that SparseFool solved
    distance : l2 norm of what was added, of images in [0, 1]
    pixels : that differ in any channel
    elements : [image][channel] that differ
    """

    own: list[int]
    predictions: list[int]
    reached: list[bool]
    steps: list[int]
    rounds: list[int]
    distance: list[float]
    pixels: list[int]
    elements: list[list[int]]


class Moved(NamedTuple):
    """What a method made of images."""

    images: Images
    own: Integers
    predictions: Integers
    reached: NDArray[np.bool_]
    steps: Integers
    rounds: Integers


class Attack(Study):
    """DeepFool, SparseFool, and a random choice of as many values (METHODS 7.5)."""

    Record = AttackRecord

    def lay_out(self, job: AnalyzeJob, images: Looked) -> Layout:
        """Return a part a method; a block takes the images of two forward passes."""
        assert job.surrogate is not None
        options = options_of(job)
        _target(options, images.classes)
        if options.target is not None and job.surrogate.labels == "own":
            raise JobError("attack.target: a surrogate with labels: own tells classes of its own apart; leave it out")
        block = min(images.samples, job.compute.block or _BATCHES * job.surrogate.batch)
        parts = [method for method in options.methods if method != "random"]
        form = {"attack": options.model_dump()}
        return Layout({part: images.samples for part in parts}, block, form)

    def open(self, material: Material) -> Evaluate:
        """Attack blocks of images."""

        def evaluate(part: str, start: int, stop: int) -> dict[str, Any]:
            images = material.images[start:stop]
            moved = attacked(part, material, images)
            added = (moved.images - images).astype(np.float64)
            differ = added != 0
            return {
                "own": moved.own.tolist(),
                "predictions": moved.predictions.tolist(),
                "reached": moved.reached.tolist(),
                "steps": moved.steps.tolist(),
                "rounds": moved.rounds.tolist(),
                "distance": l2_norms(added).tolist(),
                "pixels": differ.any(1).sum((1, 2)).tolist(),
                "elements": differ.sum((2, 3)).tolist(),
            }

        return evaluate

    def told(self, found: Analysis) -> list[str]:
        """Spell a row a method."""
        lines = [f"{'method':<11}{'fooled':>8}{'pixels':>9}{'l2':>8}{'steps':>8}{'s/image':>10}"]
        for row in found.table:
            pixels, distance, steps, seconds = (
                _told(row[key], form)
                for key, form in (("pixels", ".2%"), ("distance", ".3f"), ("steps", ".1f"), ("seconds", ".4f"))
            )
            lines.append(f"{row['method']:<11}{row['fooled']:>8.1%}{pixels:>9}{distance:>8}{steps:>8}{seconds:>10}")
        return lines

    def conclude(self, material: Material, records: Mapping[str, Sequence[AttackRecord]]) -> Findings:
        """Return a row a method, what became of every image, and some images."""
        area = material.images[0, 0].size
        arrays: dict[str, NDArray[Any]] = {"index": material.inputs.indices, "label": material.inputs.labels}
        table, evaluations = [], 0
        for part, blocks in records.items():
            columns = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in _COLUMNS}
            arrays |= {f"{part}-{name}": values for name, values in columns.items()}
            table.append(_summary(part, columns, area, sum(block.seconds for block in blocks)))
            evaluations += int((columns["steps"] + 1).sum())
            arrays |= _examples(part, material, columns["reached"])
        if "random" in options_of(material.job).methods:
            columns, seconds = _random(material, arrays["sparsefool-elements"])
            arrays |= {f"random-{name}": values for name, values in columns.items()}
            table.append(_summary("random", columns, area, seconds))
            evaluations += len(material.images)
        return Findings({"table": table}, arrays, {}, evaluations)


_COLUMNS = ("own", "predictions", "reached", "steps", "rounds", "distance", "pixels", "elements")


def options_of(job: AnalyzeJob) -> AttackOptions:
    """Return the options of a job, which `for_command` fills in."""
    return job.attack or AttackOptions.model_validate({})


def attacked(part: str, material: Material, images: Images) -> Moved:
    """Attack images, (N, C, H, W), by a method."""
    options = options_of(material.job)
    target = _target(options, material.classes)
    targets = None if target is None else np.full(len(images), target)
    deepfool = DeepFool(material.surrogate, cpu, options.classes, options.steps, options.overshoot)
    if part == "deepfool":
        near = deepfool.run(images, targets)
        longer = images + np.float32(1 + options.overshoot) * near.perturbations
        return Moved(longer, near.own, near.predictions, near.reached, near.steps, np.zeros_like(near.steps))
    alpha = np.float32(1.0 if options.alpha is None else options.alpha)
    low, high = np.maximum(images - alpha, 0), np.minimum(images + alpha, 1)
    sparse = SparseFool(deepfool, options.lam, options.rounds, options.overshoot).run(images, low, high, targets)
    return Moved(sparse.images, sparse.own, sparse.predictions, sparse.reached, sparse.steps, sparse.rounds)


def _target(options: AttackOptions, classes: Sequence[str]) -> int | None:
    if options.target is None:
        return None
    if options.target not in classes:
        some = ", ".join(classes[:20]) + (" ..." if len(classes) > 20 else "")
        raise JobError(
            f"attack.target: got {options.target!r}; allowed: a class{nearest(options.target, classes)}: {some}"
        )
    return list(classes).index(options.target)


def _summary(method: str, columns: Mapping[str, NDArray[Any]], area: int, seconds: float) -> dict[str, Any]:
    """Return a method in numbers; medians are of the images that it fooled, and None where there is none."""
    reached = columns["reached"]

    def median(name: str) -> float | None:
        return float(np.median(columns[name][reached])) if reached.any() else None

    pixels = median("pixels")
    return {
        "method": method,
        "images": len(reached),
        "fooled": float(reached.mean()),
        "pixels": None if pixels is None else pixels / area,
        "distance": median("distance"),
        "steps": float(columns["steps"].mean()) if "steps" in columns else None,
        "rounds": float(columns["rounds"].mean()) if method == "sparsefool" else None,
        "elements": median_elements(columns["elements"]).tolist(),
        "seconds": round(seconds / len(reached), 6),
    }


def _examples(part: str, material: Material, reached: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Return the first images that a method fooled the model with, as 8 bits, before and after: (N, H, W, C)."""
    rows = np.flatnonzero(reached)[:EXAMPLES]
    if not len(rows):
        return {}
    after = attacked(part, material, material.images[rows]).images
    return {
        f"{part}-examples": rows,
        f"{part}-before": material.inputs.pixels[rows],
        f"{part}-after": cpu.to_uint8(after.clip(0, 1)),
    }


def _random(material: Material, elements: Integers) -> tuple[dict[str, NDArray[Any]], float]:
    """Return what became of images with as many random elements as SparseFool's median, and the seconds it took."""
    began, surrogate = time.perf_counter(), material.surrogate
    counts, target = median_elements(elements), _target(options_of(material.job), material.classes)
    own, predictions = (np.empty(len(material.images), np.int64) for _ in range(2))
    pixels, distance, changed = [], [], []
    for start in range(0, len(own), surrogate.batch):
        images = material.images[start : start + surrogate.batch]
        noisy = with_random_elements(images, counts, material.key, material.inputs.indices[start : start + len(images)])
        own[start : start + len(images)] = surrogate.predict(images)
        predictions[start : start + len(images)] = surrogate.predict(noisy)
        added = (noisy - images).astype(np.float64)
        pixels.append((added != 0).any(1).sum((1, 2)))
        changed.append((added != 0).sum((2, 3)))
        distance.append(l2_norms(added))
    columns = {
        "own": own,
        "predictions": predictions,
        "reached": predictions != own if target is None else predictions == target,
        "distance": np.concatenate(distance),
        "pixels": np.concatenate(pixels),
        "elements": np.concatenate(changed),
    }
    return columns, time.perf_counter() - began


def _told(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


STUDY = Attack()
