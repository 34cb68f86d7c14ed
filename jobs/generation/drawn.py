"""What was drawn for a sample, in words: the columns of its provenance as sentences."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from passband.jobs.common.wording import count, recipe, significant
from passband.kernels import prime_steps
from passband.pipeline.augment.augmix import OPERATIONS
from passband.pipeline.augment.corruption.catalog import by_number
from passband.pipeline.records import Manifest

Recorded = Mapping[str, Any]
"""What one stage recorded of one sample; arrays as flat lists."""

_COLUMN = re.compile(r"(base|view(?P<view>\d+))\.(?P<position>\d+)\.(?P<stage>\w+)\.(?P<key>\w+)")
_BASE = -1


def is_drawn(column: str) -> bool:
    """Tell whether a column of the provenance holds what a stage recorded."""
    return _COLUMN.fullmatch(column) is not None


def drawn_words(manifest: Manifest, row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return "base" and the name of every view but the clean one -> what each of its stages did to the sample.

    Parameters
    ----------
    row : column -> value, of one sample
    """
    recorded: dict[tuple[int, int, str], dict[str, Any]] = {}
    for column, value in row.items():
        if found := _COLUMN.fullmatch(column):
            number = _BASE if found["view"] is None else int(found["view"])
            recorded.setdefault((number, int(found["position"]), found["stage"]), {})[found["key"]] = value
    words = {"base": [_words(place[2], drawn) for place, drawn in sorted(recorded.items()) if place[0] == _BASE]}
    for view in manifest.views[1:]:
        words[view.name] = [
            _words(step["stage"], drawn)
            if (drawn := recorded.get((view.number, position, step["stage"])))
            else f"{recipe([step])} (nothing is drawn)"
            for position, step in enumerate(view.recipe)
        ]
    return {name: said for name, said in words.items() if said}


def _words(stage: str, drawn: Recorded) -> str:
    said = _WORDS.get(stage)
    try:
        return said(drawn) if said else _by_name(stage, drawn)
    except (KeyError, TypeError, IndexError):  # recorded by another version of the stage
        return _by_name(stage, drawn)


def _by_name(stage: str, drawn: Recorded) -> str:
    return f"{stage}: " + ", ".join(f"{key} {_value(value)}" for key, value in drawn.items())


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return significant(value) if math.isfinite(value) and abs(value) >= 1e-3 else f"{value:.3g}"


def _mixed(stage: str, weights: Sequence[float], steps: Sequence[str]) -> str:
    """Say the mixture of the clean image and its chains; `steps` are those of all chains, "" for none."""
    clean, *chains = weights
    depth = len(steps) // len(chains)
    parts = [f"{clean:.0%} of the clean image"]
    for number, weight in enumerate(chains):
        taken = [step for step in steps[number * depth : (number + 1) * depth] if step]
        parts.append(f"{weight:.0%} of {' then '.join(taken) or 'the image unchanged'}")
    return f"{stage} mixes {', '.join(parts)}"


_PRIMITIVES = {
    prime_steps.SPECTRAL: lambda strength: f"spectral (sigma {_number(strength)})",
    prime_steps.SPATIAL: lambda strength: f"spatial (temperature {_number(strength**2)})",
    prime_steps.COLOR: lambda strength: f"color (sigma {_number(strength)})",
    prime_steps.NOISE: lambda strength: f"noise (sigma {_number(strength)})",
}


def _prime(drawn: Recorded) -> str:
    named = zip(drawn["primitives"], drawn["strengths"], strict=True)
    steps = [_PRIMITIVES[kind](strength) if kind != prime_steps.IDENTITY else "" for kind, strength in named]
    return _mixed("prime", drawn["weights"], steps)


_MAGNITUDES = {
    "translate_x": "by {:.0f} pixels",
    "translate_y": "by {:.0f} pixels",
    "rotate": "by {:.1f} degrees",
    "posterize": "to {:.0f} bits",
    "solarize": "above {:.2f}",
    "autocontrast": "",
    "equalize": "",
}


def _operation(number: int, magnitude: float) -> str:
    name = OPERATIONS[number - 1]
    return f"{name} {_MAGNITUDES.get(name, 'by {:.2f}').format(magnitude)}".rstrip()


def _augmix(drawn: Recorded) -> str:
    named = zip(drawn["operations"], drawn["magnitudes"], strict=True)
    return _mixed("augmix", drawn["weights"], [_operation(*step) if step[0] else "" for step in named])


def _corruption(number: int) -> str:
    return by_number().get(number, f"corruption {number}").replace("_", " ")


def _corrupt(drawn: Recorded) -> str:
    if drawn["severity"] == 0:
        return "corrupt leaves the image as it is: severity 0"
    return f"corrupt makes {_corruption(drawn['type'])} of severity {drawn['severity']}"


def _sada(drawn: Recorded) -> str:
    outcome = "changes" if drawn["changed"] else "does not change"
    losses = f"from {_number(drawn['loss_before'])} to {_number(drawn['loss_after'])}"
    return (
        f"sada takes {count(drawn['steps'], 'step')} and {outcome} the prediction: loss {losses}, "
        f"distance {_number(drawn['distance'])}"
    )


def _attack(name: str) -> Callable[[Recorded], str]:
    def said(drawn: Recorded) -> str:
        outcome = "changes" if drawn["changed"] else "does not change"
        where = f" towards class {drawn['target']}" if "target" in drawn else ""
        return (
            f"{name} takes {count(drawn['steps'], 'step')}{where} and {outcome} the prediction: "
            f"{count(drawn['pixels'], 'pixel')}, distance {_number(drawn['distance'])}"
        )

    return said


_WORDS: dict[str, Callable[[Recorded], str]] = {
    "prime": _prime,
    "augmix": _augmix,
    "corrupt": _corrupt,
    "sada": _sada,
    "deepfool": _attack("deepfool"),
    "sparsefool": _attack("sparsefool"),
}
