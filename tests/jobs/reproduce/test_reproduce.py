"""A tiny reproduction end to end: real datasets, trainings and evaluations, in real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.reproduce.datasets import make_datasets
from jobs.reproduce.display import SilentDisplay
from jobs.reproduce.graph import Graph, Node
from jobs.reproduce.ledger import Ledger
from jobs.reproduce.outcome import conclude, write
from jobs.reproduce.plan import make_plan
from jobs.reproduce.run import run_graph
from tests.jobs.report.page import Page
from tests.jobs.reproduce.made import Modules, dataset, noise, tiny_recipe

METHODS = ("ERM", "SharpDRO")


def reproduce(recipe, out, workers=2):
    ledger = run_graph(recipe.graph, str(out), workers, SilentDisplay())
    result = conclude(recipe, ledger)
    write(result, str(out))
    return ledger


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("tiny") / "out"


@pytest.fixture(scope="module")
def made(out):
    return reproduce(tiny_recipe(seeds=2), out, workers=2)


def test_everything_is_made_once(made):
    assert made.failed == {}
    assert len(made.ran) == len(made.graph) == 2 + 2 * 2 * 2
    assert made.found == set()


def test_the_results_say_all(made, out):
    found = json.loads((out / "results.json").read_text())
    assert found["name"] == "tiny"
    assert found["quick"] is True
    assert found["settings"] == {"why": "it is small"}
    assert [(row["method"], row["condition"]) for row in found["rows"]] == [
        (method, condition) for method in METHODS for condition in ("0", "5", "mean")
    ]
    for row in found["rows"]:
        assert row["dataset"] == "photos"
        assert row["seeds"] == len(row["values"]) == 2
        assert 0 <= row["mean"] <= 100
        assert row["mean"] == pytest.approx(sum(row["values"]) / 2, abs=1e-3)
        assert row["std"] == pytest.approx(abs(row["values"][0] - row["values"][1]) / 2**0.5, abs=1e-3)
    accuracy = {(row["method"], row["condition"]): row["mean"] for row in found["rows"]}
    for method in METHODS:
        halves = (accuracy[method, "0"] + accuracy[method, "5"]) / 2
        assert accuracy[method, "mean"] == pytest.approx(halves, abs=1e-3)


def test_the_page_stands_alone(made, out):
    text = (out / "report.html").read_text()
    page = Page(text)
    assert "Little & less." in page.text
    for attributes in (*page.all("img"), *page.all("source")):
        assert (attributes.get("src") or attributes.get("srcset")).startswith("data:image/png;base64,")
    assert page.all("img")
    assert not page.all("script")
    assert not page.all("link")
    assert "| SharpDRO |" in (out / "table.md").read_text()


def test_the_same_again_finds_everything(made, out):
    again = reproduce(tiny_recipe(seeds=2), out)
    assert again.ran == {}
    assert again.found == {node.name for node in made.graph}
    assert again.results == made.results


def test_the_plan_knows_what_is_done(made, out, tmp_path):
    plan = make_plan(tiny_recipe(seeds=2), str(out), 2)
    assert plan.done == len(plan.lines)
    assert plan.seconds == 0
    longer = make_plan(tiny_recipe(seeds=3), str(out), 2)
    assert [line.name for line in longer.lines if line.state == "to do"] == [
        name for method in METHODS for name in (f"{method}-2", f"{method}-2-test")
    ]
    assert longer.seconds > 0
    untouched = make_plan(tiny_recipe(), str(tmp_path / "none"), 2)
    assert untouched.done == 0
    assert not (tmp_path / "none").exists()


def test_another_job_is_another_result(made, out):
    changed = make_plan(tiny_recipe(seeds=2, batch_size=16), str(out), 2)
    assert {line.name for line in changed.lines if line.state == "done"} == {"train", "test"}


def test_the_number_of_processes_changes_nothing(made, out, tmp_path):
    alone = reproduce(tiny_recipe(seeds=1), tmp_path / "alone", workers=1)
    for name, results in alone.results.items():
        if name.endswith("-test"):
            assert results == made.results[name]
        else:
            first, second = (Path(ledger.made[name].path, "model.pt").read_bytes() for ledger in (alone, made))
            assert first == second


def test_the_processes_stay_free_of_what_makes_data(made, out):
    training, evaluation = (made.graph.nodes[number].task for number in (2, 3))
    evaluation = type(evaluation)("t", evaluation.views)
    nodes = (*made.graph.nodes[:2], Node("modules", Modules(training, evaluation), ("train", "test")))
    ledger = run_graph(Graph(nodes), str(out), 1, SilentDisplay())
    modules = set(ledger.results["modules"]["modules"])
    assert "torch" in modules
    assert not modules & {"ray", "cupy", "numba", "kernels", "ffcv", "kernels.cpu"}


def test_a_dataset_that_cannot_be_made_takes_only_its_own(tmp_path):
    """Of three, the first cannot even be read as a job and the second fails at work."""
    nodes = (
        dataset("refused", "train", [{"corrupt": {"types": ["rain"], "severity": 1}}]),
        dataset("fails", "train", [], source={"kind": "imagefolder", "path": str(tmp_path / "nowhere")}),
        dataset("test", "test", [noise(5) | {"name": "noise-5"}]),
    )
    ledger = Ledger(Graph(nodes))
    make_datasets(ledger, str(tmp_path / "out"), SilentDisplay())
    assert set(ledger.made) == {"test"}
    assert "rain" in ledger.failed["refused"]
    assert "nowhere" in ledger.failed["fails"]


SCRIPT = """
import sys
from tests.jobs.reproduce.made import tiny_recipe
from tests.jobs.reproduce.test_reproduce import reproduce
if __name__ == "__main__":
    reproduce(tiny_recipe(epochs=3), sys.argv[1])
"""


def finished(out):
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*s/*/results.json")}


@pytest.mark.parametrize("wait_for", ["job.yaml", "results.json"])
def test_a_kill_costs_what_was_at_work_and_no_more(made, out, tmp_path, wait_for):
    """Killed in the first training, and after it: finished work is kept, and nothing stands in the way of the rest."""
    killed = tmp_path / "out"
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    shutil.copytree(out / "datasets", killed / "datasets")
    driver = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(killed)], env=environment)
    end = time.monotonic() + 120
    while not list(killed.glob(f"trainings/*/{wait_for}")) and driver.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    kept = finished(killed)
    again = reproduce(tiny_recipe(epochs=3), killed)
    assert again.failed == {}
    assert {name: finished(killed)[name] for name in kept} == kept
    assert len(again.found) == len(kept) + 2
    assert set(again.made) == {node.name for node in again.graph}
