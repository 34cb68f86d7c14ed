"""Which files are an output's own, by the kind of job: exact names, and patterns where a number is in them."""

import re
from collections.abc import Callable
from re import Pattern

from passband.pipeline.formats import exports
from passband.pipeline.layout import (
    ARRAYS,
    BLOCKS,
    EVENTS,
    FAILURES,
    FIGURE,
    IMAGES,
    INPUTS,
    JOB,
    KEPT,
    LAST_CHECKPOINT,
    LOCK,
    MANIFEST,
    MANIFEST_SHA256,
    MAP_NAMES,
    MAPS,
    METRICS,
    MODEL,
    NON_FINITE,
    PLAN,
    PREDICTIONS,
    README,
    REPORT,
    RESULTS,
    SHA256_SUFFIX,
    SURROGATE,
    TIMM_INFO,
)

_HEX = "[0-9a-f]"
_NUMBER = r"\d{6,}"


def derived_names(dataset: str) -> tuple[str, ...]:
    """Return the names of what a run writes beside shards, records and plan of the dataset of that name."""
    packed = (form.file_name(dataset) for form in exports())
    return MANIFEST, MANIFEST_SHA256, *packed, README, REPORT, TIMM_INFO, FAILURES


def is_own(kind: str, name: str) -> Callable[[str], bool]:
    """Return what tells whether a file is one that an output has.

    Parameters
    ----------
    kind : "dataset", "training", "analysis" or "evaluation"
    name : of the output; shards are called after it
    """
    pattern = {"dataset": _dataset, "training": _training, "analysis": _analysis, "evaluation": _evaluation}[kind](name)
    return lambda file: pattern.fullmatch(file) is not None


def is_begun(kind: str) -> Callable[[str], bool]:
    """Return what tells whether a file is one that an output has before any file says what it is."""
    pattern = {"dataset": _planned, "evaluation": _predictions}[kind]()
    return lambda file: pattern.fullmatch(file) is not None


def _any(*patterns: str) -> Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def _exactly(*names: str) -> str:
    return "|".join(map(re.escape, names))


def _planned() -> Pattern[str]:
    """Plan, files of stages, which are called after their hash, and computed maps, each the folder of an analysis."""
    kept, folder = f"{INPUTS}/{_HEX}{{16}}" + r"(\.[^/]*)?", f"{INPUTS}/[a-z]+-map-{_HEX}{{16}}-{_HEX}{{8}}"
    return _any(_exactly(PLAN), kept, f"{folder}/(?:{_analysis().pattern}|{re.escape(LOCK)})")


def _dataset(name: str) -> Pattern[str]:
    shards, records = rf"shards/{re.escape(name)}-{_NUMBER}\.tar", rf"records/{_NUMBER}\.(json|parquet)"
    return _any(_exactly(JOB, *derived_names(name)), shards, records, _planned().pattern)


def _training(name: str) -> Pattern[str]:
    weights = (file + suffix for file in (MODEL, LAST_CHECKPOINT) for suffix in ("", SHA256_SUFFIX))
    own = _exactly(*weights, METRICS, NON_FINITE, RESULTS, JOB)
    kept = rf"{KEPT}/{_NUMBER}-(model|average|objective)\.pt({re.escape(SHA256_SUFFIX)})?"
    return _any(own, kept, rf"{EVENTS}/events\.out\.tfevents\.\d+\.[^/]+")


def _analysis(name: str = "") -> Pattern[str]:
    pictures = (f"{picture}.png" for picture in MAP_NAMES)
    blocks, figures = rf"{BLOCKS}/[a-z0-9][a-z0-9_-]*-{_NUMBER}\.json", rf"{FIGURE}[a-z0-9-]+\.png"
    return _any(_exactly(JOB, RESULTS, MAPS, ARRAYS, IMAGES, SURROGATE, *pictures), blocks, figures)


def _predictions() -> Pattern[str]:
    return _any(rf"{PREDICTIONS}/[^/]+-{_HEX}{{16}}\.npz")


def _evaluation(name: str) -> Pattern[str]:
    return _any(_exactly(REPORT, RESULTS), _predictions().pattern)
