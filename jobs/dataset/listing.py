"""What a job file can name: stages and sources with their options, read from their own models."""

import inspect
import textwrap
from typing import Any

from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.options import StrictModel
from passband.pipeline.sources import SOURCES


def listing() -> dict[str, Any]:
    """Return stages and sources: name -> summary, version and options with type, default and description."""
    return {
        "stages": {name: {"version": s.version, **_describe(s, s.Options)} for name, s in AUGMENTATIONS.items()},
        "sources": {name: _describe(source, source.Options) for name, source in SOURCES.items()},
    }


def _describe(thing: type, options: type[StrictModel]) -> dict[str, Any]:
    schema = options.model_json_schema()
    required = schema.get("required", [])
    return {
        "summary": (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " "),
        "options": {
            name: {
                "type": _type(field, schema.get("$defs", {})),
                "default": "required" if name in required else field.get("default"),
                "description": field.get("description", ""),
            }
            for name, field in schema.get("properties", {}).items()
        },
    }


def _type(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "const" in field:
        return str(field["const"])
    if "anyOf" in field or "oneOf" in field:
        return _union(field.get("anyOf") or field["oneOf"], definitions)
    if "$ref" in field:
        inner = definitions[field["$ref"].rpartition("/")[2]].get("properties", {})
        return "{" + ", ".join(inner) + "}"
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), definitions)}"
    return str(field.get("type", "any"))


def _union(branches: list[dict[str, Any]], definitions: dict[str, Any]) -> str:
    """Spell each branch but null; a list of what was just spelled is a list of these."""
    spelled: list[str] = []
    for branch in branches:
        if branch.get("type") != "null":
            text = _type(branch, definitions)
            spelled.append("list of these" if text.removeprefix("list of ") in spelled else text)
    return " | ".join(spelled)


def spell_listing(found: dict[str, Any], width: int) -> str:
    """Spell `listing` for a terminal of `width` columns."""
    lines: list[str] = []
    for heading, things in found.items():
        lines.append(heading)
        for name, thing in things.items():
            lines += _wrap(f"{name}: {thing['summary']}", 2, width)
            for option, about in thing["options"].items():
                default = "" if about["default"] is None else f" = {about['default']}"
                note = f"  # {about['description']}" if about["description"] else ""
                lines += _wrap(f"{option}: {about['type']}{default}{note}", 6, width)
    return "\n".join(lines)


def _wrap(text: str, indent: int, width: int) -> list[str]:
    first, rest = " " * indent, " " * (indent + 4)
    return textwrap.wrap(text, max(width, 40), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
