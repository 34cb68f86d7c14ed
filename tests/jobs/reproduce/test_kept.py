"""Runs that are kept are those of today's recipes, and documents quote them as they are."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from passband.jobs.commands.reproduction import reproduce
from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.kept import call_of, commit_of, keep, note_call
from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.outcome import conclude, write
from passband.jobs.reproduce.recipes import RECIPES, find_recipe
from passband.jobs.reproduce.tables import as_markdown
from passband.pipeline.errors import PassbandError
from passband.pipeline.seals import put_sealed
from passband.pipeline.store import LocalStore
from tests.jobs.reproduce.kept import faults, quotes
from tests.jobs.reproduce.test_recipes import Finished, invented

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / "jobs" / "reproduce" / "results"
PAGE = (ROOT / "jobs" / "reproduce" / "README.md").read_text()
MISSING = {"digits", "fgmix", "prime"}
"""Recipes of which no full run is kept yet. This list only shrinks."""


def test_every_recipe_has_a_kept_run_or_is_known_to_lack_it():
    there = {folder.name for folder in KEPT.iterdir() if folder.is_dir()}
    assert there == set(RECIPES) - MISSING
    assert {name for name, _, _ in quotes(PAGE)} <= there


def test_kept_runs_are_todays_and_are_quoted_as_they_are():
    kept = sorted(set(RECIPES) - MISSING)
    assert {name: faults(KEPT / name, PAGE) for name in kept} == dict.fromkeys(kept, [])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole run of a recipe with made-up numbers, and the folder of its output."""
    folder = tmp_path_factory.mktemp("run")
    recipe = find_recipe("hfc")
    result = conclude(recipe, Finished(recipe, invented(recipe)))
    plain = (replace(block, table=replace(block.table, chart=None)) for block in result.blocks)
    write(replace(result, blocks=tuple(plain)), str(folder))  # charts take long, and are not looked at
    ledger = Ledger(recipe.graph, 2, ran={"a": 1.0, "b": 2.0}, found={"c"})
    note_call(str(folder), call_of(ledger, "passband reproduce hfc", "2026-11-28T12:00:00+00:00", 3.21))
    return result, folder


def page_with(result, title):
    """A document that quotes a table of a run."""
    (block,) = [block for block in result.blocks if block.table.title == title]
    _, _, body = as_markdown(block).split("\n", 2)
    return f"<!-- kept: hfc: {title} -->\n\n{body}\n\n<!-- end of kept -->\n"


def test_what_is_kept_says_what_ran(run, tmp_path):
    result, output = run
    kept = Path(keep(result, str(output), str(tmp_path)))
    assert kept == tmp_path / "hfc"
    assert {path.name for path in kept.iterdir()} == {"results.json", "report.html", "run.json"}
    assert (kept / "results.json").read_bytes() == (output / "results.json").read_bytes()
    (call,) = json.loads((kept / "run.json").read_text())["calls"]
    assert call["commit"] is None or len(call["commit"].rstrip("+")) == 40
    assert call["processor"]
    known = {"command": "passband reproduce hfc", "date": "2026-11-28T12:00:00+00:00", "seconds": 3.2, "made": 2}
    assert call.items() >= (known | {"found": 1, "workers": 2}).items()


def test_the_command_keeps_a_run_and_lists_what_it_did(tmp_path, monkeypatch, capsys):
    empty = replace(find_recipe("hfc"), name="empty", graph=Graph(()), measures=(), tables=())
    monkeypatch.setitem(RECIPES, "empty", lambda quick, seeds: empty)
    reproduce("empty", output=tmp_path / "o", workers=1, keep=tmp_path / "kept")
    assert f"kept in {tmp_path / 'kept' / 'empty'}" in capsys.readouterr().out
    (call,) = json.loads((tmp_path / "kept" / "empty" / "run.json").read_text())["calls"]
    assert (call["command"], call["made"], call["found"], call["workers"]) == ("passband reproduce empty", 0, 0, 1)
    assert datetime.fromisoformat(call["date"]).tzinfo is not None
    assert call["seconds"] >= 0


def test_calls_add_up_and_those_that_only_look_are_left_out(run, tmp_path):
    result, _ = run
    for made, seconds in (({}, 1.0), ({}, 2.0), ({"a": 1.0}, 3.0)):
        note_call(str(tmp_path), call_of(Ledger(result.recipe.graph, 1, ran=made), "c", "d", seconds))
    calls = json.loads((tmp_path / "run.json").read_text())["calls"]
    assert [call["seconds"] for call in calls] == [1.0, 3.0]
    (tmp_path / "run.json").write_text("{")
    note_call(str(tmp_path), call_of(Ledger(result.recipe.graph, 1), "c", "d", 4.0))
    assert len(json.loads((tmp_path / "run.json").read_text())["calls"]) == 1


def test_half_a_run_and_a_heavy_page_are_not_kept(run, tmp_path):
    result, output = run
    with pytest.raises(PassbandError, match="keep: 1 jobs failed"):
        keep(replace(result, failed={"a": "no memory"}), str(output), str(tmp_path))
    heavy = tmp_path / "output"
    heavy.mkdir()
    for path in output.iterdir():
        (heavy / path.name).write_bytes(path.read_bytes())
    (heavy / "report.html").write_bytes(b" " * (1 + (2 << 20)))
    with pytest.raises(PassbandError, match="2,097,153 bytes; at most 2,097,152 are kept"):
        keep(result, str(heavy), str(tmp_path / "kept"))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("option", [["--quick"], ["--seeds", "2"]])
def test_what_is_not_the_full_run_is_refused_before_anything_runs(option, tmp_path):
    command = [sys.executable, "-m", "passband", "reproduce", "hfc", "--keep", str(tmp_path / "kept"), *option]
    done = subprocess.run([*command, "--output", str(tmp_path / "o")], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"leave out {' '.join(option)}" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_the_commit_is_that_of_the_checkout_itself(tmp_path):
    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True)

    assert commit_of(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    clean = commit_of(tmp_path)
    assert len(clean) == 40
    (tmp_path / "new").mkdir()
    assert commit_of(tmp_path) == clean
    (tmp_path / "file").write_text("2")
    assert commit_of(tmp_path) == f"{clean}+"
    assert commit_of(tmp_path / "new") is None  # as of what is installed within another project


def test_what_a_page_quotes_is_compared(run, tmp_path):
    result, output = run
    kept = Path(keep(result, str(output), str(tmp_path)))
    title = result.recipe.tables[3].title
    page = page_with(result, title)
    assert faults(kept, page) == []
    assert faults(kept, "nothing") == ["nothing of it is quoted"]
    assert faults(kept, page.replace("± ", "± 1", 1)) == [f"{title!r} is quoted otherwise"]
    assert faults(kept, page.replace(title, "Table")) == ["'Table' is quoted, and is no table"]
    findings = "\n".join(f"- {one}" for one in result.findings).replace(" ", "\n  ", 5)
    assert faults(kept, f"<!-- kept: hfc: findings -->\n{findings}\n<!-- end of kept -->") == []


def test_a_run_of_another_recipe_is_told(run, tmp_path):
    result, output = run
    kept, title = Path(keep(result, str(output), str(tmp_path))), result.recipe.tables[3].title
    found = json.loads((kept / "results.json").read_text())
    changed = {
        "settings": found["settings"] | {"network": "vgg11"},
        "seeds": 2,
        "failed": {"a": "b"},
        "rows": found["rows"][1:],
    }
    told = {"settings": "settings differ from the recipe's", "seeds": "seeds differ from the recipe's",
            "failed": "jobs failed", "rows": "rows are missing"}  # fmt: skip
    for key, value in changed.items():
        put_sealed(LocalStore(kept), "results.json", {k: v for k, v in found.items() if k != "digest"} | {key: value})
        assert told[key] in faults(kept, page_with(result, title))
