"""METHODS.md by its sections, for tests that hold it to the code."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
METHODS = (ROOT / "METHODS.md").read_text()
HEADING = re.compile(r"^(#+) (?:(\d+(?:\.\d+)?)\.? )?(.*)$", re.MULTILINE)


class Section(NamedTuple):
    """A heading with all below it, down to the next one of its level."""

    number: str | None
    title: str
    text: str


@cache
def sections() -> tuple[Section, ...]:
    found = list(HEADING.finditer(METHODS))
    ends = [
        next((later.start() for later in found[place + 1 :] if len(later[1]) <= len(here[1])), len(METHODS))
        for place, here in enumerate(found)
    ]
    return tuple(Section(here[2], here[3], METHODS[here.start() : end]) for here, end in zip(found, ends, strict=True))


def titled(name: str) -> str:
    """Return the section whose heading names a stage or an objective."""
    found = [section.text for section in sections() if f"`{name}`" in section.title]
    assert len(found) == 1, f"METHODS.md needs one section whose heading has `{name}`; it has {len(found)}"
    return found[0]


def numbered(number: str) -> str:
    found = [section.text for section in sections() if section.number == number]
    assert len(found) == 1, f"METHODS.md needs one section {number}; it has {len(found)}"
    return found[0]


def chapter(text: str) -> str:
    """Return the section of one number that a section is in, or is."""
    (found,) = [section.text for section in sections() if text in section.text and (section.number or "").isdigit()]
    return found
