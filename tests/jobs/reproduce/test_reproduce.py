"""A tiny reproduction end to end: real datasets, trainings and evaluations, in real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from passband.jobs.reproduce.datasets import make_datasets
from passband.jobs.reproduce.display import SilentDisplay
from passband.jobs.reproduce.graph import Graph, Node
from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.outcome import conclude, write
from passband.jobs.reproduce.plan import make_plan
from passband.jobs.reproduce.run import run_graph
from tests.jobs.drawing.page import Page
from tests.jobs.reproduce.made import Modules, dataset, noise, tiny_recipe

METHODS = ("ERM", "SharpDRO")
pytestmark = pytest.mark.slow  # `test_run.py` holds graphs to the same with steps that take a moment


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


@pytest.fixture(scope="module")
def alone(made, out, tmp_path_factory):
    """A part of the same, made by one process from the same datasets, which then says what it has imported."""
    own = tmp_path_factory.mktemp("alone") / "out"
    shutil.copytree(out / "datasets", own / "datasets")
    training, evaluation = (made.graph.nodes[number].task for number in (2, 3))
    modules = Modules(training, type(evaluation)("t", evaluation.views))
    nodes = (*tiny_recipe(seeds=1).graph.nodes, Node("modules", modules, ("train", "test")))
    return run_graph(Graph(nodes), str(own), 1, SilentDisplay())


def test_the_number_of_processes_changes_nothing(made, alone):
    results = {name: found for name, found in alone.results.items() if name != "modules"}
    assert len(results) == 2 * 2
    for name, found in results.items():
        if name.endswith("-test"):
            assert found == made.results[name]
        else:
            first, second = (Path(ledger.made[name].path, "model.pt").read_bytes() for ledger in (alone, made))
            assert first == second


def test_the_processes_stay_free_of_what_makes_data(alone):
    modules = set(alone.results["modules"]["modules"])
    assert "torch" in modules
    assert not modules & {"ray", "cupy", "numba", "passband.kernels", "ffcv"}


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
import signal, sys
from passband.jobs.commands.shared import stop
from tests.jobs.reproduce.made import tiny_recipe
from tests.jobs.reproduce.test_reproduce import reproduce
if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    reproduce(tiny_recipe(epochs=3), sys.argv[1], workers=1)
"""


def start(folder, output):
    """Run a reproduction as a session of its own, as a terminal would."""
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(folder / "script.py"), str(output)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)


def wait_for(found, driver):
    end = time.monotonic() + 120
    while not found() and driver.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.005)


def finished(output):
    return {path.parent.name: path.stat().st_mtime_ns for path in output.glob("*s/*/results.json")}


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("job.yaml", signal.SIGKILL),
        ("results.json", signal.SIGINT),
        pytest.param("job.yaml", signal.SIGINT, marks=pytest.mark.campaign),
        pytest.param("results.json", signal.SIGKILL, marks=pytest.mark.campaign),
    ],
)
def test_a_stop_costs_what_was_at_work_and_no_more(made, out, tmp_path, number, moment):
    """Killed or interrupted in a training or after the first: what is finished is kept, and no process stays behind."""
    stopped = tmp_path / "out"
    shutil.copytree(out / "datasets", stopped / "datasets")
    with start(tmp_path, stopped) as driver:
        wait_for(lambda: list(stopped.glob(f"trainings/*/{moment}")), driver)
        workers = psutil.Process(driver.pid).children(recursive=True)
        if number == signal.SIGKILL:
            os.kill(driver.pid, number)
        else:
            os.killpg(driver.pid, number)  # a terminal's Ctrl-C goes to every process
        _, said = driver.communicate(timeout=60)
    assert driver.returncode == (-9 if number == signal.SIGKILL else 130), said
    assert workers
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    if number == signal.SIGINT:
        assert said == b""
    kept = finished(stopped)
    again = reproduce(tiny_recipe(epochs=3), stopped, workers=1)
    assert again.failed == {}
    assert {name: finished(stopped)[name] for name in kept} == kept
    assert len(again.found) == len(kept) + 2
    assert set(again.made) == {node.name for node in again.graph}
