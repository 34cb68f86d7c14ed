"""The job file as text: what was found and what may be changed stand in it as comments."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from passband.jobs.common.wording import command, count
from passband.jobs.common.yamltext import dump_yaml
from passband.jobs.dataset.plan import Plan, shorten
from passband.jobs.init.advice import bad_images
from passband.jobs.init.proposal import Proposal
from passband.jobs.init.survey import Survey
from passband.pipeline.sources import SOURCES
from passband.pipeline.sources.limits import plain
from passband.pipeline.sources.skipped import spell

USUAL_SIDES = (32, 64, 96, 128, 224)
"""Sides that networks are made for."""
_LARGER = 8 / 7  # by so much an image of the median may be enlarged: 28 to 32, 196 to 224
_WIDTH = 80
_LONGEST = 100  # characters of a list of classes that is offered


def usual_side(found: Survey) -> int:
    """Return the largest usual side that enlarges an image of the median size by a seventh at most."""
    median = float(np.median(found.sizes.min(axis=1)))
    return max([side for side in USUAL_SIDES if side <= median * _LARGER], default=USUAL_SIDES[0])


def job_text(name: str, proposal: Proposal, plan: Plan, found: Survey, uri: str, job_file: str) -> str:
    """Return the job file.

    Parameters
    ----------
    name : of the job
    plan : of the source, made with ``unread``
    uri : where the dataset is to go
    job_file : where this text will lie, for the commands in its comments
    """
    side = usual_side(found)
    parts = [
        _head(job_file),
        [_key("kind", "generate"), _key("name", name), "seed: 0  # another number draws other random views"],
        _source(proposal, plan, found),
        [
            *_why(found, side),
            "image:",
            f"  size: {side}  # or [height, width]",
            "  # fit: pad  # crop (default), stretch or pad",
        ],
        _views(side),
        _bad_images(found),
        _output(uri),
        [
            "# How it is run changes no byte of the result:",
            "# compute: {workers: 2}  # two Ray workers in place of this one process; executor: inline | threads | ray",
        ],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(job_file: str) -> list[str]:
    return [
        "# A first job, written by passband init. See what it costs, then make it:",
        *(f"#   {plain(command('passband', verb, job_file))}" for verb in ("plan", "run")),
        "# Paths are relative to the folder in which passband is started.",
    ]


def _key(key: str, value: Any) -> str:
    """Return a key and its value on one line, without the braces of a mapping."""
    return dump_yaml({key: value}, compact=True).strip().removeprefix("{").removesuffix("}")


def _said(text: str, indent: str = "") -> list[str]:
    """Return a comment, in as many lines as it takes."""
    mark = f"{indent}# "
    return textwrap.wrap(
        text, _WIDTH, initial_indent=mark, subsequent_indent=mark, break_long_words=False, break_on_hyphens=False
    )


def _source(proposal: Proposal, plan: Plan, found: Survey) -> list[str]:
    lines = [*_said(_counted(plan)), *_said(_sizes(found))]
    for listing in plan.listings:
        lines += [line for omission in listing.skipped for line in _said(f"Left out: {spell(omission)}.")]
    lines.append("source:")
    for key, value in proposal.source.items():
        if key == "split" and proposal.other_splits:
            others = shorten([plain(name) for name in proposal.other_splits])
            lines += _said(f"One split is read; the others make jobs of their own: {others}.", "  ")
        lines.append(f"  {_key(key, value)}")
    return lines + _source_options(proposal.source, plan)


def _source_options(source: dict[str, Any], plan: Plan) -> list[str]:
    """Return what else the source may be told, as comments."""
    lines = []
    options = SOURCES[source["kind"]].Options.model_fields
    if plan.domains:
        lines.append(f"  # {_key('domains', list(plan.domains[:1]))}  # read these alone; the others may be tested on")
        lines.append("  # split: train  # without every fifth image of each class of each domain, which are test")
    elif "split" not in source:
        lines.append("  # split: train  # which split these are; each draws its own random numbers")
    if "ignore" in options and "ignore" not in source:
        lines.append("  # ignore: ['*.bak', old]  # files and folders, and so classes, to leave out")
    if "classes" in options:
        listed = _key("classes", list(plan.classes))
        if len(listed) <= _LONGEST:
            lines.append(f"  # {listed}  # list them where splits must agree")
    return lines


def _counted(plan: Plan) -> str:
    names, counts = [plain(name) for name in plan.classes], plan.class_counts
    each = shorten([f"{name}: {number:,}" for name, number in zip(names, counts, strict=True)])
    return f"{count(len(plan.table), 'image')} in {count(len(names), 'class', 'classes')}: {each}."


def _sizes(found: Survey) -> str:
    pixels = found.sizes.prod(axis=1)
    least, most = (_size(found.sizes[at]) for at in (pixels.argmin(), pixels.argmax()))
    formats = ", ".join(f"{number:,} {name}" for name, number in found.formats.most_common())
    same = bool((found.sizes == found.sizes[0]).all())
    spread = f"all {least}" if same else f"from {least} to {most}, median {_median(found)}"
    looked = "" if found.is_complete else f" Looked at {count(found.looked_at, 'image')} of them."
    return f"Width x height: {spread}; {formats}.{looked}"


def _size(size: Sequence[int]) -> str:
    return f"{size[1]}x{size[0]}"


def _median(found: Survey) -> str:
    return _size([round(float(side)) for side in np.median(found.sizes, axis=0)])


def _why(found: Survey, side: int) -> list[str]:
    shorter = float(np.median(found.sizes.min(axis=1)))
    which = "largest usual size up to that" if side <= shorter else "usual size nearest to that"
    usual = ", ".join(map(str, USUAL_SIDES))
    return _said(f"The median of the shorter sides is {shorter:g} pixels; {side} is the {which} ({usual}).")


def _views(side: int) -> list[str]:
    cut, preset = 4 + side // 8, "cifar" if side <= 64 else "imagenet"
    return [
        "# Each view is stored beside the clean image; passband stages lists all stages.",
        "views:",
        "  - clean",
        f"  - prime: {{preset: {preset}}}  # random filters, deformations and colors; trains robust classifiers",
        "    copies: 2  # more copies: more random views of each image",
        "    name: prime",
        f"  - radial: {{high: {cut}}}  # low-pass: what is nearer than {cut} bins to zero frequency",
        "    name: low",
        f"  - radial: {{low: {cut}}}  # high-pass: the rest",
        "    name: high",
    ]


def _bad_images(found: Survey) -> list[str]:
    if found.unreadable:
        return [
            *_said("Images that cannot be read and are left out; a run fails at one more."),
            _key("bad_images", bad_images(found)),
        ]
    return ["# bad_images: 10  # unreadable images that may be left out; at one more the run fails"]


def _output(uri: str) -> list[str]:
    return [
        "output:",
        f"  {_key('uri', uri)}",
        "  encoding: png  # png and webp keep every bit; npy is fastest for small images; jpeg loses high frequencies",
        "  # formats: [webdataset, ffcv]  # an FFCV file beside the shards (extra ffcv)",
    ]
