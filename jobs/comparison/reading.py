"""Reading runs: what kind an output folder is of, by its content, and what the page needs of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from passband.jobs.common.jobfile import read_yaml
from passband.jobs.comparison.maps import read_arrays, read_maps
from passband.jobs.comparison.missing import what_is_missing
from passband.jobs.comparison.results import (
    AnalysisResults,
    ReproductionResults,
    TrainingResults,
    checked,
    read_results,
)
from passband.jobs.comparison.run import Run, tell_apart
from passband.jobs.comparison.studies import SHOWN
from passband.jobs.dataset.blueprint import Blueprint, read_blueprint
from passband.jobs.evaluation.results import Evaluation, read_evaluation
from passband.jobs.training.log import read_metrics
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import JOB, MANIFEST, METRICS, RESULTS
from passband.pipeline.manifest import read_manifest
from passband.pipeline.records import Manifest
from passband.pipeline.store import LocalStore, Store, open_store


@dataclass(frozen=True)
class Dataset:
    """A finished dataset."""

    store: Store
    blueprint: Blueprint
    manifest: Manifest


@dataclass(frozen=True)
class Training:
    """A finished training: what it came to, its job, and its metrics by step."""

    results: TrainingResults
    job: dict[str, Any]
    metrics: list[dict[str, Any]]


@dataclass(frozen=True)
class Analysis:
    """A finished analysis with its maps (H, W), zero frequency at (H // 2, W // 2), or the arrays of another study."""

    results: AnalysisResults
    maps: dict[str, NDArray[np.float64]]
    arrays: dict[str, NDArray[Any]]


def read_runs(folders: Sequence[str]) -> list[Run]:
    """Read output folders, each once, with labels that tell them apart; raise PassbandError for what is no run."""
    places = dict.fromkeys(open_store(folder).uri for folder in folders)
    return tell_apart([_read(place) for place in places])


def _read(place: str) -> Run:
    store = open_store(place)
    if isinstance(store, LocalStore) and not store.root.is_dir():
        if store.root.exists():
            raise PassbandError(f"{place}: is a file; give the output folder that it lies in")
        raise PassbandError(f"{place}: there is no such folder")
    if store.exists(MANIFEST):
        return _dataset(store)
    if not store.exists(RESULTS):
        raise PassbandError(f"{place}: {what_is_missing(store)}")
    found = read_results(store)
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in READERS:
        raise PassbandError(f"{place}: {RESULTS} is of kind {kind!r}; a page shows {', '.join(READERS)}")
    return READERS[kind](store, found)


def _dataset(store: Store) -> Run:
    manifest = read_manifest(store)
    content = Dataset(store, read_blueprint(store), manifest)
    return Run("generate", manifest.name, store.uri, manifest.identity, content)


def _training(store: Store, found: dict[str, Any]) -> Run:
    results, store = checked(TrainingResults, found, store), _local(store)
    for name in (METRICS, JOB):
        if not store.exists(name):
            raise PassbandError(f"{store.uri}: has the {RESULTS} of a training but no {name}")
    envelope = read_yaml(store.path(JOB))
    job = envelope.get("job") if isinstance(envelope, Mapping) else None
    if not isinstance(job, dict):
        raise PassbandError(f"{store.uri}: {JOB} is damaged: it holds no job")
    content = Training(results, job, read_metrics(store.root))
    return Run("train", results.name, store.uri, results.identity, content)


def _local(store: Store) -> LocalStore:
    if not isinstance(store, LocalStore):
        raise PassbandError(f"{store.uri}: of an object store a page shows datasets and analyses; copy it to a folder")
    return store


def _evaluation(store: Store, found: dict[str, Any]) -> Run:
    content: Evaluation = read_evaluation(_local(store).root)
    return Run("evaluate", content.name, store.uri, content.checkpoint.sha256, content)


def _analysis(store: Store, found: dict[str, Any]) -> Run:
    results = checked(AnalysisResults, found, store)
    if results.of_maps:
        content = Analysis(results, read_maps(store, results), {})
    else:
        content = Analysis(results, {}, read_arrays(store, results, _shapes(results, store)))
    return Run("analyze", results.name, store.uri, results.identity, content)


def _shapes(results: AnalysisResults, store: Store) -> dict[str, tuple[int, ...]]:
    if results.what not in SHOWN:  # somebody else's: the page has its rows
        return {}
    shown = SHOWN[results.what]
    return shown.shapes([checked(shown.Row, row, store) for row in results.table], results.samples)


def _reproduction(store: Store, found: dict[str, Any]) -> Run:
    results = checked(ReproductionResults, found, store)
    return Run("reproduction", results.name, store.uri, "", results)


READERS: dict[str, Callable[[Store, dict[str, Any]], Run]] = {
    "train": _training,
    "evaluate": _evaluation,
    "analyze": _analysis,
    "reproduction": _reproduction,
}
"""By the kind that ``results.json`` says; a dataset, of kind ``generate``, has none."""


def folder_name(run: Run) -> str:
    """Return the folder as it is shown: below the current one where it lies there."""
    here = Path.cwd()
    path = Path(run.folder)
    return str(path.relative_to(here)) if "://" not in run.folder and path.is_relative_to(here) else run.folder
