"""Reading any kind of job file: YAML in, a checked model out, or one line for every problem.

Nothing here knows what a job says, so that the trainer can use it without importing what generation needs.
"""

import os
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from passband.jobs.common.examples import example
from passband.jobs.common.yamltext import MAX_YAML_BYTES, YamlError, parse_yaml
from passband.pipeline.documents import too_long
from passband.pipeline.errors import PassbandError
from passband.pipeline.home import expanded
from passband.pipeline.problems import nearest, problem
from passband.pipeline.seals import check_sealed_text
from passband.pipeline.shortened import on_one_line, spelled

COMMANDS = {
    "generate": "passband run",
    "train": "passband train",
    "evaluate": "passband evaluate",
    "analyze": "passband analyze",
}
"""Kind of a job -> the command that runs it."""
_MOST = 20  # problems that are told of one file
_LENGTH = 1000  # characters of one


class JobError(PassbandError):
    """A job file that cannot be run; the message names the key's path, the value and what is allowed."""


def absolute_path(path: str) -> str:
    """Return a local path made absolute; an address of an object store stays as it is."""
    return path if "://" in path else os.path.abspath(expanded(path))


def read_yaml(path: str | Path) -> Any:
    """Return what a YAML file says; raise JobError if it cannot be read, or not as `jobs.common.yamltext` reads YAML.

    Raises
    ------
    IntegrityError
        If it is one of ours, written beside what was made, and was changed or cut short since.
    """
    try:
        with open(path, "rb") as file:  # perhaps a pipe, whose end nobody knows
            content = file.read(MAX_YAML_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise JobError(f"cannot read the job file {path}: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > MAX_YAML_BYTES:
        raise JobError(f"{path}: {too_long(None, MAX_YAML_BYTES)}")
    check_sealed_text(content, str(path))
    try:
        return parse_yaml(content)
    except YamlError as error:
        raise JobError(f"{path}: {error}") from error


def check_kind(given: Any, where: str, *allowed: str) -> str:
    """Return the kind of a job that is a mapping and of an allowed kind; raise JobError otherwise."""
    if not isinstance(given, dict):
        raise JobError(f"{where}: a job is a mapping of keys, found {type(given).__name__}")
    job = given["job"] if "identity" in given and isinstance(given.get("job"), dict) else given
    kind, names = job.get("kind"), ", ".join(allowed)
    if isinstance(kind, str) and kind in allowed:
        return kind
    if isinstance(kind, str) and kind in COMMANDS:
        raise JobError(f"{where}: is a job of kind {kind} where {names} is needed; {COMMANDS[kind]} runs it")
    if "kind" not in job:
        raise JobError(f"{where}: missing: kind; allowed: {names}")
    raise JobError(f"{where}: kind: {spelled(kind)} is unknown; allowed: {names}{nearest(kind, allowed)}")


def validated(model: type[Any], given: Any, where: str) -> Any:
    """Return `given` as an instance of `model`; raise JobError with a line for every problem."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise JobError("\n".join([f"{where}:", *_lines(error, given)])) from error


def _lines(error: ValidationError, given: Any) -> list[str]:
    """Return a line for each value that something is wrong with."""
    by_path: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        by_path.setdefault(_path(detail, given), []).append(detail)
    told = [(path, details) for path, details in by_path.items() if not _is_told_inside(path, details, by_path)]
    lines = [f"  {on_one_line(_describe(path, details), _LENGTH)}" for path, details in told[:_MOST]]
    return lines + ([f"  and more: {len(told) - _MOST:,} problems are left out"] if len(told) > _MOST else [])


def _is_told_inside(path: str, details: list[ErrorDetails], by_path: dict[str, list[ErrorDetails]]) -> bool:
    """Tell whether a list is refused for being no single value, and an entry of it is what is wrong."""
    no_value = isinstance(details[0]["input"], list) and all(d["type"].endswith("_type") for d in details)
    return no_value and any(other.startswith(f"{path}[") for other in by_path)


def _path(detail: ErrorDetails, given: Any) -> str:
    """Return the path of a problem's key as the user wrote it."""
    path, node = "", given
    for part in detail["loc"]:
        if isinstance(node, dict) and part in node:
            path, node = f"{path}.{part}" if path else str(part), node[part]
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            path, node = f"{path}[{part}]", node[part]
        elif detail["type"] == "missing" and part == detail["loc"][-1]:
            path = f"{path}.{part}" if path else str(part)
    return path


def _describe(path: str, details: list[ErrorDetails]) -> str:
    """Spell one problem: path, what stands there, and what is allowed; of a missing key, how it may look."""
    if details[0]["type"] == "missing":
        parent, _, key = path.rpartition(".")
        return _missing(parent, key, path)
    hint = _quoting(details[0]["input"], path.endswith("]")) if details[-1]["type"] == "string_type" else ""
    message = problem(details, hint)
    if message.startswith("missing: "):
        key = message.removeprefix("missing: ")
        return _missing(path, key, f"{path}.{key}")
    return f"{path}: {message}" if path else message


def _missing(parent: str, key: str, path: str) -> str:
    shown = example(path)
    message = f"missing: {key}" + ("" if shown is None else f"; for example {key}: {shown}")
    return f"{parent}: {message}" if parent else message


def _quoting(value: Any, in_list: bool) -> str:
    """Say why YAML made something else of what may have been meant as a text, and how to write it."""
    if isinstance(value, bool):
        words, written = ("yes, on and true", "yes") if value else ("no, off and false", "no")
        return f': YAML reads a bare {words} as {str(value).lower()}; write it in quotes, as "{written}"'
    if value is None:
        return ': YAML reads a bare null, ~ or nothing as null; write it in quotes, as "null"' if in_list else ""
    if isinstance(value, int | float | date):
        kind = "date" if isinstance(value, date) else "number"  # perhaps of 010, 1_000 or 12:30: another text than ours
        return f": YAML reads this as a {kind}; write it in quotes, as it stands in the file"
    return ""
