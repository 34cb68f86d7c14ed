"""Running a graph: order, resume, failures, deaths. The steps are real tasks in real processes."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from passband.jobs.common.screen import JsonLines
from passband.jobs.reproduce.datasets import find_datasets
from passband.jobs.reproduce.display import ReproductionDisplay, SilentDisplay
from passband.jobs.reproduce.ledger import Ledger
from passband.jobs.reproduce.measured import collect
from passband.jobs.reproduce.recipe import Measure, Seen
from passband.jobs.reproduce.recipes import find_recipe
from passband.jobs.reproduce.run import run_graph
from passband.pipeline.errors import PassbandError
from passband.pipeline.lock import locked
from passband.pipeline.store import LocalStore
from tests.jobs.reproduce.steps import Step, runs, steps


def run(graph, out, workers=2):
    return run_graph(graph, str(out), workers, SilentDisplay())


def test_every_node_runs_once_and_after_what_it_needs(tmp_path):
    log = tmp_path / "log"
    ledger = run(steps(log, "a", "b: a", "c: a", "d: b c", "e"), tmp_path / "out")
    ran = runs(log)
    assert sorted(ran) == list("abcde")
    assert ran.index("a") < min(ran.index("b"), ran.index("c"))
    assert ran.index("d") > max(ran.index("b"), ran.index("c"))
    assert set(ledger.made) == set("abcde")
    assert ledger.results["d"]["needs"] == ["b", "c"]
    assert ledger.left == []


def test_an_empty_graph_is_done(tmp_path):
    assert run(steps(tmp_path / "log"), tmp_path / "out").made == {}


def test_what_is_done_is_not_done_again(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    run(steps(log, "a", "b: a"), out)
    again = run(steps(log, "a", "b: a", "c: b"), out)
    assert runs(log) == ["a", "b", "c"]
    assert again.found == {"a", "b"}
    assert set(again.ran) == {"c"}


def test_a_result_that_is_gone_is_made_again_alone(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    ledger = run(steps(log, "a", "b: a", "c: b"), out)
    (out / "steps" / os.path.basename(ledger.made["b"].path) / "results.json").unlink()
    run(steps(log, "a", "b: a", "c: b"), out)
    assert runs(log) == ["a", "b", "c", "b"]


@pytest.mark.parametrize(
    ("fault", "said"), [("raise", "b cannot be"), ("bug", "no such thing"), ("die", "process died")]
)
def test_a_failure_is_named_and_the_others_go_on(tmp_path, fault, said):
    log, out = tmp_path / "log", tmp_path / "out"
    graph = steps(log, "a", "b", "c: a", "d: b", "e: c d", "f", "g", faults={"b": fault})
    ledger = run(graph, out)
    assert set(ledger.made) == {"a", "c", "f", "g"}
    assert set(ledger.failed) == {"b"}
    assert said in ledger.failed["b"]
    assert graph.behind(set(ledger.failed)) == ["d", "e"]
    counts = {name: runs(log).count(name) for name in "abcdefg"}
    assert counts["d"] == counts["e"] == 0
    if fault != "die":  # a death takes what runs beside it along
        assert counts == {"a": 1, "b": 1, "c": 1, "f": 1, "g": 1, "d": 0, "e": 0}
    mended = run(steps(log, "a", "b", "c: a", "d: b", "e: c d", "f", "g"), out)
    assert set(mended.ran) == {"b", "d", "e"}
    assert mended.failed == {}


def test_a_process_that_dies_once_costs_nothing(tmp_path):
    log = tmp_path / "log"
    ledger = run(steps(log, "a", "b", "c", "d", faults={"c": "die once"}), tmp_path / "out")
    assert ledger.failed == {}
    assert set(ledger.made) == set("abcd")
    assert runs(log).count("c") == 2


def test_two_at_once_are_refused(tmp_path):
    with (
        locked(LocalStore(tmp_path / "out")),
        pytest.raises(PassbandError, match="another passband process is at work"),
    ):
        run(steps(tmp_path / "log", "a"), tmp_path / "out")
    assert runs(tmp_path / "log") == []


def test_a_task_that_cannot_say_what_it_is_fails_alone(tmp_path):
    graph = steps(tmp_path / "log", "a", "b: a", "c")
    object.__setattr__(graph.nodes[1], "task", Nameless("b", str(tmp_path / "log")))
    ledger = run(graph, tmp_path / "out")
    assert ledger.failed == {"b": "not on a Sunday"}
    assert set(ledger.made) == {"a", "c"}


class Nameless(Step):
    def identity(self, needs):
        raise PassbandError("not on a Sunday")


class Interrupting(SilentDisplay):
    """Ends the run by SystemExit, as a signal does, once a node is at work."""

    def tick(self, ledger):
        if ledger.running:
            raise SystemExit(130)


def test_an_interrupt_asks_the_workers_to_end(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    begun = time.monotonic()
    with pytest.raises(SystemExit):
        run_graph(steps(log, "a", "b", seconds=60), str(out), 2, Interrupting())
    assert time.monotonic() - begun < 30
    assert not list(out.rglob("results.json"))
    again = run(steps(log, "a", "b"), out)
    assert set(again.ran) == {"a", "b"}
    assert json.loads((out / "steps" / os.path.basename(again.made["a"].path) / "results.json").read_text())


SCRIPT = """
import signal, sys
from passband.jobs.commands.shared import stop
from tests.jobs.reproduce.test_run import run
from tests.jobs.reproduce.steps import steps
if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    run(steps(sys.argv[1], "a", "b: a", slow={"b": 600.0}), sys.argv[2], workers=1)
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGKILL, marks=pytest.mark.slow), signal.SIGINT])
def test_a_stop_costs_what_was_at_work_and_no_more(tmp_path, number):
    """Killed, or interrupted by a terminal: what is finished is kept, and no process stays behind."""
    script, log, out = tmp_path / "script.py", tmp_path / "log", tmp_path / "out"
    script.write_text(SCRIPT)
    command, environment = [sys.executable, script, log, out], {**os.environ, "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True) as driver:
        end = time.monotonic() + 240
        while runs(log) != ["a", "b"] and driver.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        workers = psutil.Process(driver.pid).children(recursive=True)
        (os.kill if number == signal.SIGKILL else os.killpg)(driver.pid, number)
        _, said = driver.communicate(timeout=240)
    assert driver.returncode == (-9 if number == signal.SIGKILL else 130), said
    if number == signal.SIGINT:
        assert said == b""
    assert workers
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    again = run(steps(log, "a", "b: a"), out, workers=1)
    assert (set(again.found), set(again.ran)) == ({"a"}, {"b"})
    assert runs(log) == ["a", "b", "b"]


def test_machines_are_told_of_every_node(tmp_path, capsys):
    graph = steps(tmp_path / "log", "a", "b: a", "c", "d: c", faults={"c": "raise"})
    run_graph(graph, str(tmp_path / "out"), 1, ReproductionDisplay(JsonLines()))
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(event["event"], event["node"]) for event in said} == {
        *(("begun", name) for name in "abc"),
        ("done", "a"),
        ("done", "b"),
        ("failed", "c"),
    }
    run_graph(graph, str(tmp_path / "out"), 1, ReproductionDisplay(JsonLines()))
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (found,) = [event for event in again if event["event"] == "done" and event["node"] == "b"]
    assert found["was_there"] is True
    assert found["done"] == 2


@pytest.mark.parametrize("content", ["{", "[]", "[" * 5000, '{"a": NaN}', '{"a": ' + "1" * 5000 + "}"])
def test_damaged_results_are_one_line_that_names_them(tmp_path, content):
    log, out = tmp_path / "log", tmp_path / "out"
    graph = steps(log, "a", "b: a", "c")
    ledger = run(graph, out)
    damaged = out / "steps" / os.path.basename(ledger.made["a"].path) / "results.json"
    damaged.write_text(content)
    again = run(graph, out)
    assert set(again.failed) == {"a"}
    assert again.failed["a"].startswith(f"{damaged}: is damaged: ")
    assert again.failed["a"].endswith("delete it, and the same command makes it again")
    assert "\n" not in again.failed["a"]
    assert len(again.failed["a"]) < 500
    damaged.unlink()
    assert run(graph, out).failed == {}


def test_results_without_a_number_of_the_table_are_named():
    measure = Measure({"method": "ERM"}, 0, {"clean": (Seen("e", "d", "clean"),)})
    for results in ({}, {"accuracy": None}, {"accuracy": {"d": {}}}, {"accuracy": {"d": {"clean": "x"}}}):
        with pytest.raises(PassbandError, match="/out/e/results.json: is damaged: it lacks a number of the table"):
            collect([measure], {"e": results}, {"e": "/out/e"})


def test_known_places_of_datasets_that_are_damaged_are_unknown(tmp_path):
    (tmp_path / "datasets").mkdir()
    for content in ("{", "[]", '{"x": 1}', '{"x": {"identity": 1}}', "[" * 5000):
        (tmp_path / "datasets" / "places.json").write_text(content)
        ledger = Ledger(find_recipe("digits", quick=True).graph)
        find_datasets(ledger, str(tmp_path))
        assert ledger.made == {}
