"""What a reproduction came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from passband.jobs.reproduce.recipe import Recipe
from passband.jobs.reproduce.rows import Block, Row


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
            **({"surfaces": self._surfaces()} if self.recipe.surfaces else {}),
            "rows": [row.as_json() for row in self.rows],
        }

    def _maps(self) -> dict[str, str]:
        """Return method -> folder, below the output, of the sensitivity maps that are shown."""
        return self._folders({label: node for grid in self.recipe.maps for label, node in grid.nodes.items()})

    def _surfaces(self) -> dict[str, str]:
        """Return title -> folder, below the output, of the losses over planes that are shown."""
        return self._folders({picture.title: picture.node for picture in self.recipe.surfaces})

    def _folders(self, shown: Mapping[str, str]) -> dict[str, str]:
        return {
            label: "/".join(Path(self.places[node]).parts[-2:]) for label, node in shown.items() if node in self.places
        }
