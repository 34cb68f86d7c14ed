"""Whether ``job.yaml`` can be read again: sources allow more classes than a YAML file is read with.

Every worker, the next run and ``verify`` read that file: a job for which it would be too large ends as it is planned.
"""

from typing import Any

import yaml

from passband.jobs.common.yamlsize import MAX_NODES
from passband.jobs.common.yamltext import MAX_YAML_BYTES
from passband.jobs.dataset.plan import PlanError

_SPARE_NODES, _SPARE_BYTES = 10_000, 1 << 20  # for what a draft lacks, such as the maps that it is begun with
_SMALL = 1 << 18  # characters of names that cannot become too long


def refuse_unreadable(envelope: dict[str, Any], classes: int) -> None:
    """Raise PlanError if a ``job.yaml`` that says what `envelope` does would be larger than one that is read."""
    values, characters = _size(envelope)
    most = MAX_NODES - _SPARE_NODES
    if values > most:
        raise PlanError(f"{classes:,} classes make {values:,} values of job.yaml; at most {most:,} can be stored there")
    if characters <= _SMALL:
        return
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    num_bytes = len(yaml.dump(envelope, Dumper=dumper, sort_keys=False, allow_unicode=True).encode())
    if num_bytes > MAX_YAML_BYTES - _SPARE_BYTES:
        raise PlanError(
            f"the names of {classes:,} classes make job.yaml {num_bytes / 2**20:,.1f} MB long; "
            f"at most {(MAX_YAML_BYTES - _SPARE_BYTES) >> 20} MB can be stored there"
        )


def _size(value: Any) -> tuple[int, int]:
    """Return how many values, keys included, a structure is in YAML, and how many characters its texts have."""
    values, characters, left = 0, 0, [value]
    while left:
        one = left.pop()
        values += 1
        if isinstance(one, dict):
            left.extend(one)
            left.extend(one.values())
        elif isinstance(one, list | tuple):
            left.extend(one)
        elif isinstance(one, str):
            characters += len(one)
    return values, characters
