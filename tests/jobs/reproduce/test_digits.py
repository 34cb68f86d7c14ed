"""SADA's reproduction in miniature, end to end: surrogate, map, views, trainings, rounds; and what is said of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from passband.jobs.reproduce.display import SilentDisplay
from passband.jobs.reproduce.graph import Graph
from passband.jobs.reproduce.outcome import conclude, write
from passband.jobs.reproduce.plan import make_plan
from passband.jobs.reproduce.recipes.digits.methods import METHODS
from passband.jobs.reproduce.recipes.digits.recipe import build
from passband.jobs.reproduce.recipes.digits.setting import Setting
from passband.jobs.reproduce.recipes.digits.words import observe, rank_correlation
from passband.jobs.reproduce.recipes.parts import Images
from passband.jobs.reproduce.rows import NORM, Block, Row
from passband.jobs.reproduce.run import run_graph
from passband.jobs.reproduce.tasks import TrainingTask
from passband.pipeline.manifest import read_manifest
from passband.pipeline.store import open_store
from tests.jobs.drawing.page import Page

ATTACKERS = [name for name, method in METHODS.items() if method.attacks]


def crops(name, size):
    return Images(name, {"kind": "photos", "crop": size}, 16, 224, 48, sample_s=1e-4)


SETTING = Setting(crops("crops", 128), {"finer": (crops("finer", 112), "test")}, 1, 1, subset=40)


def tiny(rounds=1, fine_tune=False):
    return build(SETTING, quick=True, seeds=1, rounds=rounds, fine_tune=fine_tune)


def before(recipe, *names):
    """Return the part of a graph that ends with the nodes of these names."""
    wanted = set(names)
    for node in reversed(recipe.graph.nodes):
        if node.name in wanted:
            wanted.update(node.needs)
    return Graph(tuple(node for node in recipe.graph if node.name in wanted))


SHOWN = ("ERM", "3sada+0mix")
PART = before(tiny(), "erm-0-test", "erm-0-map", "3sada-0mix-0-test", "3sada-0mix-0-map")


def run(graph, out, workers=2):
    return run_graph(graph, str(out), workers, SilentDisplay())


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("digits") / "out"


@pytest.fixture(scope="module")
def made(out):
    return run(PART, out)


@pytest.mark.slow
def test_what_was_made_is_told(made, out):
    assert made.failed == {}
    assert set(made.made) == {node.name for node in PART}
    result = conclude(tiny(), made)
    write(result, str(out))
    found = json.loads((out / "results.json").read_text())
    rows = {(row["study"], row["method"], row["condition"]): row for row in found["rows"]}
    norms = {method: rows["l1 norms", method, "enhanced l1 norm"] for method in SHOWN}
    assert {row["unit"] for row in norms.values()} == {"l1 norm"}
    assert all(0 < row["mean"] < 1 for row in norms.values())
    assert rows["methods", "ERM", "unseen"]["unit"] == "percent"
    assert rows["maps", "enhanced map", "unseen"] == {
        **rows["methods", "3sada+0mix", "unseen"],
        "study": "maps",
        "method": "enhanced map",
    }
    assert set(found["maps"]) == set(SHOWN)
    for method, folder in found["maps"].items():
        with np.load(out / folder / "maps.npz") as maps:
            assert maps["enhanced"].mean() == pytest.approx(norms[method]["mean"], abs=1e-4)
    page = Page((out / "report.html").read_text())
    assert sum("maps over spatial frequency" in attributes.get("alt", "") for attributes in page.all("img")) == 2
    assert any("A point for each network" in attributes.get("alt", "") for attributes in page.all("img"))
    assert f"{norms['ERM']['mean']:.3f}" in page.text


@pytest.mark.slow
def test_the_views_are_made_against_the_surrogate_and_its_map(made):
    surrogate = Path(made.made["erm-0"].path, "model.pt").read_bytes()
    folder = Path(made.made["enhanced-0"].path)
    assert surrogate in [path.read_bytes() for path in (folder / "inputs").iterdir()]
    manifest = read_manifest(open_store(str(folder)))
    assert [view.name for view in manifest.views] == ["clean", "sada-1", "sada-2", "sada-3", "mix-1", "mix-2"]
    assert made.results["enhanced-0"]["identity"] == manifest.identity


@pytest.mark.slow
def test_the_same_again_finds_everything(made, out):
    again = run(PART, out)
    assert again.ran == {}
    assert again.results == made.results
    plan = make_plan(tiny(), str(out), 2)
    assert {line.name for line in plan.lines if line.state == "done"} == {node.name for node in PART}


@pytest.mark.slow
def test_a_dataset_without_its_manifest_is_finished_not_begun_again(made, out):
    folder = Path(made.made["enhanced-0"].path)
    identity = json.loads((folder / "results.json").read_text())["identity"]
    (folder / "results.json").unlink()
    (folder / "manifest.json").unlink()
    kept = {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()}
    again = run(PART, out)
    assert set(again.ran) == {"enhanced-0"}
    assert again.results["enhanced-0"]["identity"] == identity
    assert {path: path.stat().st_mtime_ns for path in (folder / "shards").iterdir()} == kept


@pytest.mark.slow
def test_two_rounds_attack_two_networks(made, out):
    recipe = tiny(rounds=2)
    known = {node.name for node in tiny().graph}
    views = [node.name for node in recipe.graph if node.name not in known and node.name.endswith("-views")]
    assert len(views) == len(ATTACKERS)
    ledger = run(before(recipe, "3sada-0mix-0-round2"), out)
    assert set(ledger.ran) == {"3sada-0mix-0-round2-views", "3sada-0mix-0-round2"}
    for name, surrogate in (("enhanced-0", "erm-0"), ("3sada-0mix-0-round2-views", "3sada-0mix-0")):
        weights = Path(ledger.made[surrogate].path, "model.pt").read_bytes()
        assert weights in [path.read_bytes() for path in Path(ledger.made[name].path, "inputs").iterdir()]
    tuned = Path(ledger.made["3sada-0mix-0-round2"].path, "job.yaml").read_text()
    assert f"checkpoint: {ledger.made['3sada-0mix-0'].path}" in tuned


@pytest.mark.slow
def test_fine_tuning_begins_with_the_network_that_is_attacked(made, out, tmp_path):
    jobs = {node.name: node.task.job for node in tiny(fine_tune=True).graph if isinstance(node.task, TrainingTask)}
    begun = {name: job["network"].get("checkpoint") for name, job in jobs.items()}
    assert {name for name, before in begun.items() if before is None} == {"erm-0", "augmix-0", "prime-0"}
    assert set(begun.values()) == {None, "@erm-0"}
    for folder in ("datasets", "trainings", "maps", "generations"):
        shutil.copytree(out / folder, tmp_path / folder)
    ledger = run(before(tiny(fine_tune=True), "3sada-0mix-0"), tmp_path)
    assert set(ledger.ran) == {"3sada-0mix-0"}  # another training of the same views
    tuned = Path(ledger.made["3sada-0mix-0"].path, "job.yaml").read_text()
    assert f"checkpoint: {ledger.made['erm-0'].path}" in tuned


def test_rounds_have_a_table_of_their_own():
    assert [table.title for table in tiny().tables if "round" in table.title] == []
    (table,) = [table for table in tiny(rounds=3).tables if "round" in table.title]
    assert [condition for condition, _ in table.columns] == ["round 1", "round 2", "round 3"]
    measured = {m.fields["method"] for m in tiny(rounds=3).measures if m.fields["study"] == "rounds"}
    assert measured == set(ATTACKERS)


@pytest.mark.slow
def test_a_surrogate_that_does_not_fit_fails_with_the_name_of_its_node(made, out):
    graph = before(tiny(), "original-map-0-test")
    (node,) = [node for node in graph if node.name == "original-0"]
    for view in node.task.job["views"][1:]:
        view["sada"]["surrogate"]["network"] = "convnet"
    ledger = run(graph, out)
    assert set(ledger.failed) == {"original-0"}
    assert "convnet" in ledger.failed["original-0"]
    assert graph.behind(set(ledger.failed)) == ["original-map-0", "original-map-0-test"]


SCRIPT = """
import signal, sys
from passband.jobs.commands.shared import stop
from tests.jobs.reproduce.test_digits import before, run, tiny
if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    run(before(tiny(), "enhanced-0"), sys.argv[1], workers=1)
"""


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), pytest.param(signal.SIGINT, marks=pytest.mark.campaign)],
)
def test_an_interrupted_generation_goes_on(made, out, tmp_path, number):
    (tmp_path / "script.py").write_text(SCRIPT)
    for folder in ("datasets", "trainings", "maps"):
        shutil.copytree(out / folder, tmp_path / "out" / folder)
    stopped, environment = tmp_path / "out", {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, str(tmp_path / "script.py"), str(stopped)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True) as driver:
        end = time.monotonic() + 120
        while not list(stopped.glob("generations/*/job.yaml")) and driver.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.005)
        os.killpg(driver.pid, number)
        driver.communicate(timeout=60)
    assert driver.returncode in (-9, 130)
    assert not list(stopped.glob("generations/*/results.json"))
    again = run(before(tiny(), "enhanced-0"), stopped)
    assert again.failed == {}
    assert again.results["enhanced-0"] == made.results["enhanced-0"]


def block(recipe, study, **methods):
    (table,) = [table for table in recipe.tables if table.where["study"] == study]
    columns = len(table.columns)
    rows = {
        name.replace("_", "+"): (None,) * (columns - 1) + (Row({"method": name}, "unseen", values),)
        for name, values in methods.items()
    }
    return Block(table, rows)


def test_the_order_is_told_from_the_figures():
    sada = {"1sada_2mix": (70.0, 72.0), "2sada_1mix": (60.0, 61.0), "3sada_0mix": (50.0, 50.0)}
    found = observe([block(tiny(), "methods", ERM=(50.0, 52.0), AugMix=(60.0, 62.0), **sada)])
    assert "ERM has 51.0 %; against it: AugMix +10.0, 1sada+2mix +20.0, 2sada+1mix +9.5" in found[0]
    assert "holds for 1 of 3 recipes" in found[1]
    assert "1sada+2mix +10.0 (above in 2 of 2 seeds), 2sada+1mix -0.5 (above in 0 of 2 seeds)" in found[1]
    (_, other) = observe([block(tiny(), "methods", ERM=(60.0,), AugMix=(50.0,), **sada)])
    assert "does not hold for any recipe" in other
    assert observe([block(tiny(), "methods", ERM=(60.0,))]) == []


def test_norm_and_accuracy_are_compared_by_rank():
    (table,) = [table for table in tiny().tables if table.scatter]
    norms = {"a": (0.3, 0.31), "b": (0.2, 0.21), "c": (0.1, 0.11)}
    rows = {
        name: (None, Row({}, "enhanced l1 norm", values, NORM), None, Row({}, "unseen", tuple(100 - v for v in values)))
        for name, values in norms.items()
    }
    (said,) = observe([Block(table, rows)])
    assert "-1.00 over 6 networks, -1.00 over the means of 3 methods" in said
    assert "falls with it" in said


@pytest.mark.parametrize(
    ("pairs", "rho"),
    [
        ([(1, 10), (2, 20), (3, 30)], 1.0),
        ([(1, 9), (2, 4), (3, 1)], -1.0),
        ([(1, 1), (2, 1), (3, 1)], 0.0),
        ([(1, 1), (2, 3), (3, 2), (4, 4)], 0.8),  # 1 - 6 * 2 / (4 * 15)
        ([(1, 1), (1, 2), (2, 3)], 0.75**0.5),  # ranks 1.5, 1.5, 3 against 1, 2, 3
    ],
)
def test_rank_correlation(pairs, rho):
    assert rank_correlation(pairs) == pytest.approx(rho)
