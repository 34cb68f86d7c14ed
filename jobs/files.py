"""Reading any kind of job file: YAML in, a checked model out, or one line for every problem.

Nothing here knows what a job says, so that the trainer can use it without importing what generation needs.
"""

import os
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import PassbandError
from pipeline.seals import check_sealed_text


class JobError(PassbandError):
    """A job file that cannot be run; the message names the key's path, the value and what is allowed."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a mapping that says one key twice, where plain YAML keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.YAMLError(f"key {key!r} stands twice in one mapping, line {key_node.start_mark.line + 1}")
            seen.add(key if isinstance(key, str) else str(key))
        return super().construct_mapping(node, deep=deep)


def absolute_path(path: str) -> str:
    """Return a local path made absolute; an address of an object store stays as it is."""
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


def read_yaml(path: str | Path) -> Any:
    """Return what a YAML file says; raise JobError if it cannot be read, is not YAML or says a key twice.

    Raises
    ------
    IntegrityError
        If it is one of ours, written beside what was made, and was changed or cut short since.
    """
    try:
        content = Path(path).read_bytes()
        check_sealed_text(content, str(path))
        return yaml.load(content.decode("utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506  # a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"cannot read the job file {path}: {getattr(error, 'strerror', None) or error}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise JobError(f"{path} is not YAML: {error}") from error


def check_kind(given: Any, where: str, *allowed: str) -> str:
    """Return the kind of a job that is a mapping and of an allowed kind; raise JobError otherwise."""
    if not isinstance(given, dict):
        raise JobError(f"{where}: a job is a mapping of keys, found {type(given).__name__}")
    if given.get("kind") not in allowed:
        raise JobError(f"{where}: kind: {given.get('kind')!r} is unknown; allowed: {', '.join(allowed)}")
    return str(given["kind"])


def validated(model: type[Any], given: Any, where: str) -> Any:
    """Return `given` as an instance of `model`; raise JobError with a line for every problem."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        details = [(_path(detail, given), detail) for detail in error.errors(include_url=False)]
        paths = [path for path, _ in details]
        lines = [f"  {_describe(path, detail)}" for path, detail in details if not _is_told_inside(path, detail, paths)]
        raise JobError("\n".join([f"{where}:", *lines])) from error


def _is_told_inside(path: str, detail: ErrorDetails, paths: list[str]) -> bool:
    """Tell whether a list is refused for being no single value, and an entry of it is what is wrong."""
    no_value = isinstance(detail["input"], list) and detail["type"] in ("int_type", "string_type", "float_type")
    return no_value and any(other.startswith(f"{path}[") for other in paths)


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


def _describe(path: str, detail: ErrorDetails) -> str:
    """Spell one problem: path, message, and the value where it is short."""
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    if detail["type"] in ("missing", "unknown_key") or isinstance(value, dict | list) or not path:
        return f"{path}: {message}" if path else message
    hint = _quoting(value, path.endswith("]")) if detail["type"] == "string_type" else ""
    shown = str(value) if isinstance(value, date) else repr(value)
    return f"{path}: got {shown}; {message[0].lower()}{message[1:]}{hint}"


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
