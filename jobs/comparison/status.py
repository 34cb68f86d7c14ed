"""What an output folder is of, and how far it is, where it holds no dataset: trainings, evaluations, analyses, tables.

It is read from the folder alone, as the status of a dataset is, and nothing in it is changed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from passband.jobs.common.yamltext import YamlError, read_store_yaml
from passband.jobs.comparison.results import read_results
from passband.jobs.comparison.runfiles import check_job, check_metrics, check_results
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import JOB, MANIFEST, RESULTS
from passband.pipeline.lock import is_locked
from passband.pipeline.store import LocalStore, Store

CALLED = {"train": "training", "evaluate": "evaluation", "analyze": "analysis", "reproduction": "reproduction"}
"""Kind of a run -> what its folder is called."""
_PARTS = ("generations", "trainings", "evaluations", "maps")
"""Folders of a reproduction beside that of its datasets."""


def read_run(store: Store) -> dict[str, Any] | None:
    """Return what a folder is of and how far it is, as plain values; None for a dataset, and for what is no output.

    Raises
    ------
    PassbandError
        If what it holds is damaged.
    """
    if store.exists(MANIFEST):
        return None
    envelope = _envelope(store)
    results = read_results(store) if store.exists(RESULTS) else None
    kind = _kind(store, envelope, results)
    if kind not in CALLED:
        return None
    job = envelope.get("job", {})
    check_job(job, f"{store.uri}/{JOB}")
    if results is not None:
        check_results(kind, results, f"{store.uri}/{RESULTS}")
    found = {"output": store.uri, "kind": kind, "name": (results or job).get("name", Path(store.uri).name)}
    state = "running" if is_locked(store) else "unfinished" if results is None else "finished"
    return {**found, "state": state, **_READERS[kind](store, envelope, results or {})}


def _envelope(store: Store) -> dict[str, Any]:
    if not store.exists(JOB):
        return {}
    try:
        found = read_store_yaml(store, JOB)
    except YamlError as error:
        raise PassbandError(f"{store.uri}/{JOB}: is damaged: {error}") from error
    return found if isinstance(found, dict) and isinstance(found.get("job"), dict) else {}


def _kind(store: Store, envelope: Mapping[str, Any], results: Mapping[str, Any] | None) -> str:
    if envelope:
        return str(envelope["job"].get("kind"))
    if results is not None:
        return str(results.get("kind"))
    if not isinstance(store, LocalStore):
        return "unknown"
    if (store.root / "predictions").is_dir():
        return "evaluate"
    begun = any((store.root / part).is_dir() for part in _PARTS[1:3]) or store.exists("datasets/places.json")
    return "reproduction" if begun or ((store.root / "datasets").is_dir() and is_locked(store)) else "unknown"


def _training(store: Store, envelope: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return epochs, steps and the newest numbers, from the results or else from the log."""
    job = envelope.get("job", {})
    found = {"epochs": job.get("epochs"), "steps": results.get("steps", job.get("steps"))}
    if results:
        keys = ("loss", "accuracy", "seconds", "samples_per_s")
        return found | {"step": results.get("steps")} | {key: results.get(key) for key in keys}
    from passband.jobs.training.log import read_metrics
    from passband.pipeline.layout import METRICS

    metrics = read_metrics(store.root) if isinstance(store, LocalStore) else []
    for line in metrics:
        check_metrics(line, f"{store.uri}/{METRICS}")
    last = metrics[-1] if metrics else {}
    loss = next((line["loss"] for line in reversed(metrics) if "loss" in line), None)
    return found | {"step": last.get("step", 0), "epoch": last.get("epoch"), "loss": loss}


def _evaluation(store: Store, envelope: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many conditions are measured, or how many views were predicted for them so far."""
    predicted = len(store.names("predictions"))
    return {"predicted": predicted, "conditions": len(results["rows"]) if results.get("rows") else None}


def _analysis(store: Store, envelope: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return which parts are asked for, and how many of their blocks are done."""
    if not envelope:
        return {key: results.get(key) for key in ("what", "samples", "of")}
    from passband.jobs.analysis.envelope import read_envelope
    from passband.jobs.analysis.record import read_block
    from passband.jobs.analysis.studies import STUDIES

    whole = read_envelope(store)
    found = {"what": whole.what, "samples": whole.samples, "of": whole.of}
    if whole.what not in STUDIES:
        return found
    kind, places = whole.study().Record, [place for place, _ in whole.places()]
    done = sum(bool(results) or read_block(store, kind, whole.identity, *place) is not None for place in places)
    called = "maps" if whole.what == "sensitivity" else "parts"
    return {**found, called: list(whole.sizes), "blocks": len(places), "done": done}


def _reproduction(store: Store, envelope: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many jobs of each kind are done and begun, and which failed."""
    root = store.root if isinstance(store, LocalStore) else Path(store.uri)
    parts = {}
    for part, last in (("datasets", MANIFEST), *((part, RESULTS) for part in _PARTS)):
        folders = [folder for folder in root.glob(f"{part}/*") if folder.is_dir()]
        if folders:
            parts[part] = {"begun": len(folders), "done": sum((folder / last).is_file() for folder in folders)}
    return {"jobs": parts, "rows": len(results.get("rows", ())), "failed": results.get("failed", {})}


_READERS = {"train": _training, "evaluate": _evaluation, "analyze": _analysis, "reproduction": _reproduction}


def spell_run(found: Mapping[str, Any]) -> str:
    """Spell what `read_run` returned for a terminal of 60 columns."""
    lines = [f"{CALLED[found['kind']]} {found['name']}: {found['state']}", f"output   {found['output']}"]
    lines += [f"{name:<8} {value}" for name, value in _SPELLERS[found["kind"]](found) if value]
    if found["state"] == "unfinished":
        lines.append("the same command resumes it")
    return "\n".join(lines)


def _spell_training(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    of = f" of {found['steps']:,}" if found["steps"] else ""
    epoch = "" if found.get("epoch") is None else f"in epoch {found['epoch'] + 1}"
    epochs = "" if found["epochs"] is None else f"{epoch} of {found['epochs']:,}" if epoch else f"{found['epochs']:,}"
    return [
        ("steps", f"{found['step']:,}{of}"),
        ("epochs", epochs),
        ("loss", "" if found["loss"] is None else f"{found['loss']:.4f}"),
        *((name.removeprefix("accuracy/"), f"{value:.2%}") for name, value in (found.get("accuracy") or {}).items()),
    ]


def _spell_evaluation(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    measured = found["conditions"]
    return [
        ("measured", f"{measured:,} conditions" if measured else ""),
        ("views", f"{found['predicted']:,} predicted"),
    ]


def _spell_analysis(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    blocks = f"{found['done']:,} of {found['blocks']:,} done" if "blocks" in found else ""
    return [
        ("parts", f"{found['what']}: {', '.join(found['parts'])}" if "parts" in found else ""),
        ("maps", "" if "parts" in found else ", ".join(found.get("maps", [found["what"]]))),
        ("blocks", blocks),
        ("images", f"{found['samples']:,} of {found['of']:,}"),
    ]


def _spell_reproduction(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    jobs = [(part, f"{each['done']:,} of {each['begun']:,} begun are done") for part, each in found["jobs"].items()]
    return [*jobs, ("rows", f"{found['rows']:,}" if found["rows"] else ""), *(("failed", n) for n in found["failed"])]


_SPELLERS = {
    "train": _spell_training,
    "evaluate": _spell_evaluation,
    "analyze": _spell_analysis,
    "reproduction": _spell_reproduction,
}
