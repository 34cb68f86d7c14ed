"""What is wrong with a kept run, or with what a document quotes of it."""

import json
import re
from pathlib import Path

from passband.jobs.comparison.reproductions import blocks_of
from passband.jobs.comparison.results import ReproductionResults
from passband.jobs.reproduce.kept import MOST_BYTES
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.reproduce.tables import as_markdown
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore

FINDINGS = "findings"
_QUOTE = re.compile(r"^<!-- kept: (\S+): (.+?) -->\n(.*?)^<!-- end of kept -->$", re.MULTILINE | re.DOTALL)


def quotes(text):
    """Yield (name, title, what is quoted) of a document."""
    return [(name, title, body.strip()) for name, title, body in _QUOTE.findall(text)]


def faults(folder: Path, document: str) -> list[str]:
    """Return what is wrong with the kept run in `folder`, and with what `document` quotes of it."""
    found = read_sealed(LocalStore(str(folder)), "results.json")
    recipe = find_recipe(folder.name)
    kept = {key: found[key] for key in ("name", "quick", "seeds", "settings")}
    today = {"name": recipe.name, "quick": False, "seeds": recipe.seeds, "settings": recipe.settings}
    wrong = [f"{key} differ from the recipe's" for key in kept if kept[key] != json.loads(json.dumps(today[key]))]
    wrong += ["jobs failed"] if found["failed"] or found["not_begun"] else []
    rows = {(*_fields(row), row["condition"]) for row in found["rows"]}
    expected = {
        (*_fields(measure.fields), condition) for measure in recipe.measures for condition in measure.conditions
    }
    wrong += ["rows are missing"] if expected - rows else []
    wrong += ["the page is too large"] if (folder / "report.html").stat().st_size > MOST_BYTES else []
    calls = json.loads((folder / "run.json").read_text())["calls"]
    wrong += ["no call is listed"] if not calls else []
    wrong += [f"a call lacks {key}" for call in calls for key in ("command", "date", "seconds", "processor", "commit")
              if call.get(key) is None]  # fmt: skip
    return wrong + _misquoted(folder.name, found, document)


def _fields(row):
    """Return the fields of a row that tell it apart, whatever their number, as one part of a key."""
    other = ("condition", "unit", "mean", "std", "seeds", "values")
    return (tuple(sorted((key, value) for key, value in row.items() if key not in other)),)


def _misquoted(name, found, document):
    tables = {block.table.title: block for block in blocks_of(ReproductionResults.model_validate(found))}
    said = {title: as_markdown(block).split("\n", 2)[2] for title, block in tables.items()}
    said[FINDINGS] = "\n".join(f"- {sentence}" for sentence in found["findings"])
    mine = [(title, body) for where, title, body in quotes(document) if where == name]
    unknown = [f"{title!r} is quoted, and is no table" for title, _ in mine if title not in said]
    other = [f"{title!r} is quoted otherwise" for title, body in mine if title in said and not _same(body, said[title])]
    return [*([] if mine else ["nothing of it is quoted"]), *unknown, *other]


def _same(quoted, kept):
    """Compare two texts, whatever their line breaks within a sentence."""
    return quoted.split() == kept.split()
