"""What tells jobs apart: the keys that are not equal in all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

PLACES = ("name", "output")
"""Keys that say how a job is called and where it writes, not what it does."""
_ABSENT = object()


def differing_keys(jobs: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return dotted key -> its value in each job, for the keys that differ; a dash where a job lacks it."""
    flat = [dict(_flattened({key: value for key, value in job.items() if key not in PLACES})) for job in jobs]
    keys = list(dict.fromkeys(key for entries in flat for key in entries))
    found = {}
    for key in keys:
        values = [entries.get(key, _ABSENT) for entries in flat]
        if any(value != values[0] or type(value) is not type(values[0]) for value in values):
            found[key] = [_spelled(value) for value in values]
    return found


def _flattened(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, entry in value.items():
        path = f"{before}{key}"
        if isinstance(entry, Mapping) and entry:
            yield from _flattened(entry, f"{path}.")
        else:
            yield path, entry


def _spelled(value: Any) -> str:
    if value is _ABSENT:
        return "\u2013"
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000).removesuffix("...\n").strip()
