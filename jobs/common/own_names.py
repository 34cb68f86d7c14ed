"""What the files of an output of ours are called, by kind: exact names, by the constants of whoever writes them.

The owners are imported as they are asked for: those of a training bring torch.
"""

import re
from collections.abc import Callable
from re import Pattern

from pipeline.lock import LOCK
from pipeline.manifest import JOB, MANIFEST, PLAN
from pipeline.names import beton_name
from pipeline.store import BLOCKS, INPUTS

_HEX = "[0-9a-f]"
_NUMBER = r"\d{6,}"


def derived_names(dataset: str) -> tuple[str, ...]:
    """Return the names of what a run writes beside shards, records and plan of the dataset of that name."""
    from jobs.generation.ledger import FAILURES
    from jobs.generation.card.page import README, REPORT, TIMM_INFO
    from pipeline.seals import BESIDE

    return MANIFEST, BESIDE, beton_name(dataset), README, REPORT, TIMM_INFO, FAILURES


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
    from jobs.training.checkpoint import LAST
    from jobs.training.log import EVENTS, METRICS
    from jobs.training.output import RESULTS
    from jobs.training.session import NON_FINITE
    from pipeline.hashed import SUFFIX
    from pipeline.networks.checkpoint import MODEL

    own = (MODEL, MODEL + SUFFIX, LAST, LAST + SUFFIX, METRICS, NON_FINITE, RESULTS, JOB)
    return _any(_exactly(*own), rf"{EVENTS}/events\.out\.tfevents\.\d+\.[^/]+")


def _analysis(name: str = "") -> Pattern[str]:
    from jobs.analysis.counting import MAPS
    from jobs.analysis.finish import TITLES
    from jobs.analysis.inputs import INPUTS as IMAGES
    from jobs.analysis.inputs import MODEL
    from jobs.analysis.results import MAPS_FILE, RESULTS

    pictures = (f"{picture}.png" for picture in TITLES)
    blocks = rf"{BLOCKS}/({'|'.join(MAPS)})-{_NUMBER}\.json"
    return _any(_exactly(JOB, RESULTS, MAPS_FILE, IMAGES, MODEL, *pictures), blocks)


def _predictions() -> Pattern[str]:
    from jobs.evaluation.stored import FOLDER

    return _any(rf"{FOLDER}/[^/]+-{_HEX}{{16}}\.npz")


def _evaluation(name: str) -> Pattern[str]:
    from jobs.evaluation.report import REPORT
    from jobs.evaluation.results import RESULTS

    return _any(_exactly(REPORT, RESULTS), _predictions().pattern)
