"""What a reproduction leaves: results.json, table.md and report.html."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.reproduce.ledger import Ledger
from jobs.reproduce.recipe import Recipe
from jobs.reproduce.report import page
from jobs.reproduce.rows import Block, Row, collect, fill
from jobs.reproduce.tables import as_markdown
from pipeline.layout import RESULTS
from pipeline.seals import put_sealed
from pipeline.store import LocalStore

TABLE, REPORT = "table.md", "report.html"


@dataclass(frozen=True)
class Result:
    """The table of a recipe, as far as its graph came.

    Attributes
    ----------
    places : node -> folder of what it made
    """

    recipe: Recipe
    rows: tuple[Row, ...]
    blocks: tuple[Block, ...]
    failed: dict[str, str]
    behind: tuple[str, ...]
    places: Mapping[str, str]

    @property
    def findings(self) -> list[str]:
        """What came out, in words: what the figures of this run say, then what was learned before."""
        return [*self.recipe.observe(self.blocks), *self.recipe.findings]

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``results.json``."""
        return {
            "kind": "reproduction",
            "name": self.recipe.name,
            "title": self.recipe.title,
            "source": self.recipe.source,
            "quick": self.recipe.quick,
            "seeds": self.recipe.seeds,
            "std": "sample standard deviation over the seeds (divisor n - 1); null for one seed",
            "settings": self.recipe.settings,
            "findings": self.findings,
            "failed": self.failed,
            "not_begun": self.behind,
            "maps": self._maps(),
            "rows": [row.as_json() for row in self.rows],
        }

    def _maps(self) -> dict[str, str]:
        """Return method -> folder, below the output, of the sensitivity maps that are shown."""
        shown = {label: node for grid in self.recipe.maps for label, node in grid.nodes.items()}
        return {
            label: "/".join(Path(self.places[node]).parts[-2:]) for label, node in shown.items() if node in self.places
        }


def conclude(recipe: Recipe, ledger: Ledger) -> Result:
    """Return the tables of what was made."""
    places = {name: made.path for name, made in ledger.made.items()}
    rows = collect(recipe.measures, ledger.results, places)
    blocks = tuple(fill(table, rows) for table in recipe.tables)
    behind = tuple(ledger.graph.behind({*ledger.failed}))
    return Result(recipe, tuple(rows), blocks, dict(ledger.failed), behind, places)


def write(result: Result, output: str) -> None:
    """Write the three files into the folder `output`."""
    store = LocalStore(output)
    table = "\n\n".join([f"# {result.recipe.title}", _NOTE, *map(as_markdown, result.blocks), *_findings(result)])
    put_sealed(store, RESULTS, result.as_json())
    store.put(TABLE, (table + "\n").encode())
    store.put(REPORT, page(result).encode())


_NOTE = (
    "Accuracy in percent, mean ± sample standard deviation over the seeds (divisor n - 1); "
    "the highest mean accuracy of a column is bold."
)


def _findings(result: Result) -> list[str]:
    return ["## What we found", *result.findings] if result.findings else []
