"""What a reproduction leaves: results.json, table.md and report.html."""

from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.measured import collect
from passband.jobs.reproduce.recipe import Recipe
from passband.jobs.reproduce.report import page
from passband.jobs.reproduce.result import Result
from passband.jobs.reproduce.rows import Unit, fill, main_unit
from passband.jobs.reproduce.tables import as_markdown
from passband.pipeline.layout import RESULTS
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore

TABLE, REPORT = "table.md", "report.html"


def conclude(recipe: Recipe, ledger: Ledger) -> Result:
    """Return the tables of what was made."""
    places = {name: made.path for name, made in ledger.made.items()}
    rows = [*collect(recipe.measures, ledger.results, places), *recipe.published]
    blocks = tuple(fill(table, rows) for table in recipe.tables)
    behind = tuple(ledger.graph.behind({*ledger.failed}))
    return Result(recipe, tuple(rows), blocks, dict(ledger.failed), behind, places)


def write(result: Result, output: str) -> None:
    """Write the three files into the folder `output`."""
    store = LocalStore(output)
    table = "\n\n".join(
        [
            f"# {result.recipe.title}",
            _note(main_unit(result.blocks)),
            *map(as_markdown, result.blocks),
            *_findings(result),
        ]
    )
    put_sealed(store, RESULTS, result.as_json())
    store.put(TABLE, (table + "\n").encode())
    store.put(REPORT, page(result).encode())


def _note(unit: Unit) -> str:
    bold = "; the highest mean accuracy of a column is bold" if unit.marks_best else ""
    return f"{unit.what}, mean ± sample standard deviation over the seeds (divisor n - 1){bold}."


def _findings(result: Result) -> list[str]:
    return ["## What we found", *result.findings] if result.findings else []
