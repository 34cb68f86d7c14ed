"""How a card says numbers, recipes, sources and groups."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Options = Mapping[str, Any]


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return "1 shard", "4,000 samples"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(num_bytes: int) -> str:
    """Return a number of bytes with a decimal unit: "12.3 MB"."""
    amount = float(num_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5:
            return f"{significant(amount)} {unit}" if num_bytes >= 1000 else count(num_bytes, "byte")
    return f"{significant(amount / 1000)} PB"


def significant(number: float) -> str:
    """Return three significant digits, thousands separated: "0.0123", "12.3", "12,300"."""
    if number == 0:
        return "0"
    if abs(number) >= 100:
        return f"{float(f'{number:.3g}'):,.0f}"
    return f"{number:#.3g}".rstrip(".")


def duration(seconds: float | None) -> str:
    """Return "0.42 s", "4.2 s", "45 s", "22 min", "1 h 05 min"; a question mark for None."""
    if seconds is None:
        return "?"
    if seconds < 9.95:
        return f"{float(f'{seconds:.2g}'):g} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def plain(text: str) -> str:
    """Return `text` on one line, what cannot be printed replaced: names and keys come from users."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def class_name(label: int, classes: Sequence[str]) -> str:
    """Return the class name of `label`, or the number where there is none."""
    return plain(classes[label]) or str(label) if 0 <= label < len(classes) else str(label)


def recipe(steps: list[dict[str, Any]]) -> str:
    """Return a recipe in words; stages that this module does not know are said by name and options."""
    return ", then ".join(_step(step) for step in steps)


def _step(step: Options) -> str:
    words = _WORDS.get(step["stage"])
    try:
        said = words(step) if words else _by_name(step)
    except (KeyError, TypeError):  # options of another version of the stage
        said = _by_name(step)
    stored = _RANGES.get(str(step.get("range")), "") if words else ""
    return f"{said}{stored}"


def _by_name(step: Options) -> str:
    options = {k: v for k, v in step.items() if k not in ("stage", "version") and not _is_empty(v)}
    listed = ", ".join(f"{key} {_value(value)}" for key, value in options.items())
    return f"{step['stage']} ({listed})" if listed else str(step["stage"])


def _is_empty(value: Any) -> bool:
    """Tell whether an option says nothing: it is not set, or a list, a mapping or a text of nothing."""
    return value is None or (isinstance(value, str | Sequence | Mapping) and not value)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _radial(step: Options) -> str:
    low, high = float(step["low"]), float(step["high"])
    if high == float("inf"):
        return f"high-pass: spatial frequencies from {low:g} bins on"
    if low == 0:
        return f"low-pass: spatial frequencies below {high:g} bins"
    return f"band-pass: spatial frequencies from {low:g} to below {high:g} bins"


def _dct(step: Options) -> str:
    return f"the {step['size']} \u00d7 {step['size']} {step['keep']}est DCT coefficients"


def _svd(step: Options) -> str:
    if step["keep"] == "leading":
        return f"the {count(step['rank'], 'leading singular component')} of each channel"
    return f"all but the {count(step['rank'], 'leading singular component')} of each channel"


def _prime(step: Options) -> str:
    strength = step.get("strength", 1)
    changed = "" if strength == 1 else f", strength {_value(strength)}"
    return f"PRIME, preset {step['preset']}{changed}"


def _corrupt(step: Options) -> str:
    types = [name.replace("_", " ") for name in step["types"]]
    said = "one of the 15 common corruptions" if len(types) == 15 else " or ".join(types)
    severity = step["severity"]
    if isinstance(severity, Mapping):
        ((law, value),) = severity.items()
        drawn = f"Poisson({_value(value)}), cut at 5" if law == "poisson" else f"drawn from {value[0]} to {value[1]}"
    else:
        drawn = str(severity)
    cut = ", truncated to 8 bits" if step.get("rounding") == "truncate" else ""
    ice = ", frost from given photographs" if step.get("frost_textures") else ""
    return f"{said}, severity {drawn}{cut}{ice}"


def _augmix(step: Options) -> str:
    depth = "1 to 3 operations" if step["depth"] == -1 else count(step["depth"], "operation")
    return f"AugMix, severity {step['severity']}: {count(step['width'], 'chain')} of {depth}"


def _sada(step: Options) -> str:
    named = step["surrogate"]["network"]
    network = f"against {'an' if named[:1] in 'aeiou' else 'a'} {named}"
    if step["random_only"]:
        return f"SADA's random start alone, amplitudes within {_value(step['init'])}"
    given = step["map"] not in ("enhanced", "original", "none")
    where = {"none": "no map"}.get(step["map"], "a given map" if given else f"the {step['map']} map")
    way = "" if step["targeted"] else ", random signs"
    return f"SADA {network}, {where}, up to {count(step['steps'], 'step')} of {_value(step['step_size'])}{way}"


def _attack(name: str) -> Callable[[Options], str]:
    def said(step: Options) -> str:
        target = {None: "", "random": ", towards a class that is drawn"}.get(
            step["target"], f", towards {step['target']}"
        )
        bound = "" if step["alpha"] is None else f", elements within {_value(step['alpha'])}"
        return f"{name} against a {step['surrogate']['network']}{target}{bound}"

    return said


_WORDS: dict[str, Callable[[Options], str]] = {
    "radial": _radial,
    "dct": _dct,
    "dct_flip": lambda step: "low and high frequencies swapped by flipping the DCT",
    "svd": _svd,
    "phase_only": lambda step: "phase kept, amplitude replaced by its mean",
    "prime": _prime,
    "corrupt": _corrupt,
    "augmix": _augmix,
    "sada": _sada,
    "deepfool": _attack("DeepFool"),
    "sparsefool": _attack("SparseFool"),
}
_RANGES = {
    "clip": "; clipped to [0, 1]",
    "shift": "; shifted by 0.5, then clipped",
    "minmax": "; stretched to [0, 1] image by image",
    "float": "; stored as float16, unclipped",
}


def source(entry: Options) -> str:
    """Return a source in words: kind, then those of its options that say something."""
    options = {k: v for k, v in entry.items() if k not in ("kind", "domain") and not _is_empty(v)}
    listed = ", ".join(f"{key} {_value(value)}" for key, value in options.items())
    domain = f"domain {entry['domain']}: " if entry.get("domain") is not None else ""
    return domain + (f"{entry['kind']} ({listed})" if listed else str(entry["kind"]))


def group(number: int, kind: str, domains: Sequence[str]) -> str:
    """Return what a group stands for; `kind` is "domain", "severity" or "group"."""
    if kind == "domain" and 0 <= number < len(domains):
        return f"{number}: {domains[number]}"
    if kind == "severity":
        return f"severity {number}" if number >= 0 else "no severity"
    return str(number)


def command(*words: str) -> str:
    """Return a shell command, its words quoted where a shell needs it."""
    return shlex.join(words)


def markdown(text: str) -> str:
    """Return `text` as one line of Markdown that shows it as it is, in a table as well."""
    line = re.sub(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", plain(text))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fenced(code: str, language: str) -> str:
    """Return a Markdown code block; its fence is longer than any run of backticks in the code."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"
