"""Small runs of every kind: real datasets, trainings and evaluations, and analyses and reproductions by hand."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from passband.jobs.evaluation.results import CorruptionError, Evaluation, Row, Summary
from passband.jobs.evaluation.run import evaluate
from passband.jobs.evaluation.spec import parse_evaluate_job
from passband.jobs.generation.run import generate
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.training.run import train
from passband.jobs.training.spec import parse_train_job
from passband.pipeline.manifest import readable_json
from tests.jobs.generation.made import small_job

SHA = "0123456789abcdef" * 4


def make_dataset(out: Path, name: str, **changes: Any) -> Path:
    """355 real digits of 16 pixels, clean and low-pass."""
    views = ["clean", {"radial": {"high": 4}, "name": "low"}]
    generate(small_job(out, **{"name": name, "views": views} | changes))
    return out


def make_training(out: Path, data: Path, name: str, **changes: Any) -> Path:
    given: dict[str, Any] = {
        "kind": "train",
        "name": name,
        "data": {"path": str(data), "views": ["clean"]},
        "network": {"kind": "lenet"},
        "objective": {"kind": "erm"},
        "epochs": 3,
        "batch_size": 50,
        "optimizer": {"lr": 0.05},
        "evaluate": {"test": {"path": str(data), "views": ["clean", "low"]}},
        "output": {"uri": str(out), "log_every_steps": 1, "tensorboard": False},
        "compute": {"device": "cpu", "threads": 1},
    }
    train(parse_train_job(given | changes))
    return out


def make_evaluation(out: Path, training: Path, data: Path, name: str, better: float = 0.0) -> Path:
    """A real evaluation; corruptions and frequencies, which would take a while to make, are entered by hand."""
    given = {
        "kind": "evaluate",
        "name": name,
        "checkpoint": str(training),
        "test": {"path": str(data)},
        "domains": {"low-pass": {"path": str(data), "view": "low"}},
        "groups": True,
        "bootstrap": {"resamples": 50},
        "output": {"uri": str(out)},
        "compute": {"device": "cpu", "threads": 1},
    }
    found = evaluate(parse_evaluate_job(given))
    (out / "results.json").write_bytes(readable_json(with_corruptions(found, better)))
    return out


def with_corruptions(found: Evaluation, better: float) -> Evaluation:
    rows = [_row("clean", "clean", "clean", 0, 0.9 + better)]
    for number, family in enumerate(("fog", "gaussian_noise", "jpeg_compression")):
        rows += [
            _row(f"{family}-{level}", "corruption", family, level, 0.88 + better - 0.1 * level - 0.02 * number)
            for level in (1, 3, 5)
        ]
    for radius in (4, 8):
        rows.append(_row(f"low-{radius}", "low", f"low-{radius}", radius, 0.05 * radius + better))
        rows.append(_row(f"high-{radius}", "high", f"high-{radius}", radius, 0.9 - 0.05 * radius + better))
    errors = [
        CorruptionError(corruption=family, error=error, low=error - 0.02, high=error + 0.02, ce=None)
        for family in ("fog", "gaussian_noise", "jpeg_compression")
        for error in [1 - float(np.mean([row.accuracy for row in rows if row.family == family]))]
    ]
    mean = float(np.mean([error.error for error in errors]))
    summaries = [
        Summary(name="mean_corruption_accuracy", value=1 - mean, low=0.98 - mean, high=1.02 - mean),
        Summary(name="mCE", value=100 * mean, low=100 * mean - 2, high=100 * mean + 2),
    ]
    changes = {"rows": [*found.rows, *rows], "corruptions": errors, "summaries": [*found.summaries, *summaries]}
    return found.model_copy(update=changes)


def _row(condition: str, kind: Any, family: str, level: int, accuracy: float) -> Row:
    low, high = max(0.0, accuracy - 0.03), min(1.0, accuracy + 0.03)
    return Row(
        condition=condition, kind=kind, family=family, level=level, accuracy=accuracy, low=low, high=high,
        samples=355, dataset=f"d-{family}",
    )  # fmt: skip


def write_analysis(out: Path, name: str, what: str = "sensitivity", side: int = 16, scale: float = 0.8) -> Path:
    """Write an analysis as the contract says, format 1."""
    distance = np.hypot(*np.ogrid[-(side // 2) : side - side // 2, -(side // 2) : side - side // 2])
    if what == "sensitivity":
        original = scale * np.exp(-distance / 6)
        maps = {"original": original, "enhanced": np.minimum(1, 1.4 * original)}
    else:
        maps = {"amplitude": 200 * scale / (1 + distance**2)}
    results = {
        "format": 1,
        "kind": "analyze",
        "what": what,
        "name": name,
        "identity": SHA,
        "samples": 200,
        "of": 355,
        "shape": [3, side, side],
        "surrogate": {"network": "lenet", "sha256": SHA[::-1]} if what == "sensitivity" else None,
        "maps": [
            {
                "name": key,
                "mean": float(values.mean()),
                "mean_l1": float(abs(values).mean()),
                "standard_error": 0.0123 if what == "sensitivity" else None,
                "largest": float(values.max()),
            }
            for key, values in maps.items()
        ],
        "seconds": 12.5,
        "model_share": 0.91 if what == "sensitivity" else None,
    }
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "maps.npz", **maps)
    (out / "results.json").write_text(json.dumps(results))
    return out


class Made(NamedTuple):
    """Where runs of every kind lie."""

    digits: Path
    reseeded: Path
    train_digits: Path
    erm: Path
    sam: Path
    evaluated_erm: Path
    evaluated_sam: Path
    sensitivity: Path
    amplitude: Path


def make_all(root: Path) -> Made:
    """Two datasets of the same samples in unlike orders and one of others, two trainings, an evaluation of each."""
    digits = make_dataset(root / "data" / "digits", "digits")
    more = ["clean", {"dct_flip": {}, "copies": 2}, {"radial": {"low": 4}, "name": "high"}]
    reseeded = make_dataset(root / "data" / "reseeded", "reseeded", seed=5, views=more)
    others = make_dataset(
        root / "other" / "digits",
        "digits",
        split="train",
        output={"uri": str(root / "other" / "digits"), "samples_per_shard": 800},
    )
    erm = make_training(root / "erm", digits, "erm")
    sam = make_training(root / "sam", digits, "sam", objective={"kind": "sam"}, epochs=2, seed=3)
    return Made(
        digits,
        reseeded,
        others,
        erm,
        sam,
        make_evaluation(root / "evaluated" / "erm", erm, digits, "measured"),
        make_evaluation(root / "evaluated" / "sam", sam, digits, "measured", better=0.05),
        write_analysis(root / "sensitivity", "sensitivity"),
        write_analysis(root / "amplitude", "amplitude", "amplitude"),
    )


def write_reproduction(out: Path, name: str = "sharpdro", seeds: int = 2) -> Path:
    """Write the results of a reproduction with made-up accuracies, its first table alone filled in."""
    recipe = find_recipe(name, quick=True, seeds=seeds)
    rng = np.random.default_rng(0)
    rows = []
    for table in recipe.tables[:1]:
        for method in ("ERM", "SharpDRO"):
            for condition, _ in table.columns:
                values = np.round(60 + 30 * rng.random(seeds), 4).tolist()
                rows.append({**table.where, "method": method, "condition": condition, "values": values})
    results = {
        "kind": "reproduction",
        "name": name,
        "title": recipe.title,
        "source": recipe.source,
        "quick": True,
        "seeds": seeds,
        "std": "sample standard deviation",
        "settings": {},
        "findings": ["A <finding> & more."],
        "failed": {},
        "not_begun": [],
        "rows": [row | {"mean": 1.0, "std": 1.0, "seeds": seeds} for row in rows],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results))
    return out
