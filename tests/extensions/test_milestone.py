"""A display event of somebody else: one file (`toys.halfway`) and one line in `MILESTONES` of a kind of job."""

import json
import sys

import pytest

from passband.jobs.generation import display as generation
from passband.jobs.training import display as training
from tests.extensions.conftest import write_yaml
from tests.extensions.toys.halfway import halfway_of_shards, halfway_of_steps
from tests.jobs.terminal import Screen, run_on_terminal

SAID = "half of the shards are done: 2 of 4"


@pytest.fixture(autouse=True)
def lines(monkeypatch):
    monkeypatch.setitem(generation.MILESTONES, "halfway", halfway_of_shards)
    monkeypatch.setitem(training.MILESTONES, "halfway", halfway_of_steps)


def told(out):
    """Return the events of standard output by their names."""
    events = [json.loads(line) for line in out.splitlines()]
    return [(event["event"], event) for event in events]


def test_a_machine_is_told_once(passband, write_job):
    status, out, error = passband("run", write_job(), "--json")
    assert status == 0, error
    names = [name for name, _ in told(out)]
    (event,) = [event for name, event in told(out) if name == "halfway"]
    assert (event["done"], event["total"]) == (2, 4)
    assert names[names.index("halfway") - 1] == "progress"
    assert isinstance(event["time"], float)


def test_a_log_has_the_sentence_once(passband, write_job):
    status, _, error = passband("run", write_job())
    assert status == 0
    assert error.splitlines().count(SAID) == 1


PROGRAM = """
import sys
from passband.jobs import cli
from passband.jobs.generation.display import MILESTONES
from tests.extensions.toys.halfway import halfway_of_shards
MILESTONES["halfway"] = halfway_of_shards
sys.argv = ["passband", "run", sys.argv[1]]
cli.main()
"""


def test_a_terminal_keeps_the_sentence_above_the_picture(write_job):
    screen = Screen(100)
    screen.feed(run_on_terminal([sys.executable, "-c", PROGRAM, str(write_job())], 100))
    lines = screen.text.splitlines()
    assert lines.count(SAID) == 1
    assert lines.index(SAID) < next(number for number, line in enumerate(lines) if line.startswith("4/4 shards"))


def test_a_training_tells_of_its_own(passband, write_job, tmp_path):
    assert passband("run", write_job())[0] == 0
    job = {
        "kind": "train",
        "name": "toy",
        "data": {"path": str(tmp_path / "set")},
        "network": {"kind": "lenet"},
        "objective": {"kind": "erm"},
        "steps": 4,
        "batch_size": 50,
        "output": {"uri": str(tmp_path / "run"), "log_every_steps": 1, "tensorboard": False},
        "compute": {"device": "cpu"},
    }
    status, out, error = passband("train", write_yaml(tmp_path / "train.yaml", job), "--json")
    assert status == 0, error
    (event,) = [event for name, event in told(out) if name == "halfway"]
    assert (event["done"], event["total"]) == (2, 4)
