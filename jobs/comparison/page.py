"""The page of several runs: one file that needs nothing beside it."""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from passband.jobs.common.wording import count
from passband.jobs.comparison.blocks import Cell, Column, Section, Table
from passband.jobs.comparison.reading import folder_name
from passband.jobs.comparison.run import Run
from passband.jobs.drawing.templates import templates
from passband.pipeline.errors import PassbandError
from passband.pipeline.store import LocalStore

MARK = '<meta name="generator" content="passband report">'
"""Stands in every page that this module writes, and so may be replaced by it."""
SECTIONS = {
    "generate": ("datasets", "dataset"),
    "train": ("trainings", "training"),
    "evaluate": ("evaluations", "evaluation"),
    "analyze": ("analyses", "analysis"),
    "reproduction": ("reproductions", "reproduction"),
}
"""Kind -> the module that shows it, which is also the plural of what it is called; in the order of the page."""


def page(runs: Sequence[Run], title: str | None = None) -> str:
    """Return the page of `runs`; without a title it is named after them."""
    sections = [
        import_module(f"passband.jobs.comparison.{module}").section(of_kind)
        for kind, (module, _) in SECTIONS.items()
        if (of_kind := [run for run in runs if run.kind == kind])
    ]
    template = templates(Path(__file__).parent).get_template("comparison.html.j2")
    return template.render(
        title=title or default_title(runs), lede=_lede(runs), sections=[*sections, _places(runs)], mark=MARK
    )


def default_title(runs: Sequence[Run]) -> str:
    """Return the name of the only run, or the names of a few, or how many runs there are."""
    names = list(dict.fromkeys(run.name for run in runs))
    return ", ".join(names) if len(names) <= 3 else f"{len(runs)} runs side by side"


def _lede(runs: Sequence[Run]) -> str:
    counts = Counter(run.kind for run in runs)
    parts = [count(counts[kind], one, many) for kind, (many, one) in SECTIONS.items() if counts[kind]]
    return (", ".join(parts[:-1]) + " and " if len(parts) > 1 else "") + parts[-1]


def _places(runs: Sequence[Run]) -> Section:
    columns = [Column("run", "name"), Column("kind", ""), Column("folder", "words"), Column("identity", "words")]
    rows = [
        [Cell(run.label), Cell(SECTIONS[run.kind][1]), Cell(folder_name(run)), Cell(_identity(run))] for run in runs
    ]
    return Section("runs", "Where the runs lie", [Table("", columns, rows)])


def _identity(run: Run) -> str:
    return f"checkpoint {run.identity}" if run.kind == "evaluate" else run.identity or "\u2013"


def write_page(content: str, output: Path) -> None:
    """Write the page; raise PassbandError where that would replace something else."""
    check_output(output)
    LocalStore(output.parent).put(output.name, content.encode())


def check_output(output: Path) -> None:
    """Raise PassbandError unless `output` is free, or a page that this module wrote."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise PassbandError(f"--output {output}: is to be a file that ends in .html")
    if output.is_dir():
        raise PassbandError(f"--output {output}: is a folder; name a file that ends in .html")
    if output.exists() and not _is_ours(output):
        raise PassbandError(
            f"--output {output}: is there already and was not written by passband report; choose another file"
        )


def _is_ours(output: Path) -> bool:
    with output.open("rb") as file:
        return MARK.encode() in file.read(4096)


def summary(runs: Sequence[Run], output: Path, title: str | None) -> dict[str, Any]:
    """Return what was written, for machines."""
    return {
        "output": str(output.resolve()),
        "title": title or default_title(runs),
        "runs": [
            {"kind": run.kind, "name": run.name, "label": run.label, "folder": run.folder, "identity": run.identity}
            for run in runs
        ],
    }
