"""The templates of pages, and the words that they know."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from passband.jobs.common import wording


def templates(folder: Path) -> Environment:
    """Return the templates of a folder and of this one; those of HTML escape what they are given."""
    found = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters.update(
        plain=wording.plain,
        duration=wording.duration,
        significant=wording.significant,
        markdown=wording.markdown,
        fenced=wording.fenced,
        breakable=breakable,
    )
    return found


def breakable(name: str) -> Markup:
    """Return a name as HTML whose line may break after an underscore or a slash."""
    return escape(name).replace("_", Markup("_<wbr>")).replace("/", Markup("/<wbr>"))
