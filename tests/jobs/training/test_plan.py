"""The dry run of a training: its numbers, by real steps, and nothing on disk; and what is said of long epochs."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from passband.jobs.generation.cache import find_made, generate_cached
from passband.jobs.generation.run import SilentDisplay
from passband.jobs.training import plan, probe, session
from passband.jobs.training.plan import long_epoch, plan_json, plan_training, spell_plan
from passband.jobs.training.run import train
from passband.pipeline.errors import PassbandError
from tests.jobs.generation.made import small_job
from tests.jobs.training.test_integrity import Notes
from tests.jobs.training.test_run import StopAfter, job_file


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(probe, "_PROBE_S", 0.1)


def test_a_plan_says_what_the_training_does_and_touches_nothing(train_job, digits, tmp_path):
    evaluate = {"digits": {"path": str(digits), "views": ["clean", "low"], "every_epochs": 2}}
    job = train_job(epochs=3, evaluate=evaluate)
    before = sorted(path.name for path in tmp_path.iterdir())
    found = plan_training(job)
    assert sorted(path.name for path in tmp_path.iterdir()) == before  # not even the folder
    assert (found.state, found.steps, found.epochs, found.steps_per_epoch, found.done) == ("new", 21, 3, 7, 0)
    assert (found.samples, found.views, found.batch_size, found.parameters) == (355, 3, 50, 15_926)
    assert 1 <= found.probe.steps <= 200
    assert found.epoch_s == pytest.approx(7 * found.probe.step_s)
    assert found.evaluation_s == pytest.approx(found.probe.image_s * 355 * 2 * 2)  # after epochs 2 and 3
    assert found.seconds == pytest.approx(21 * found.probe.step_s + found.evaluation_s)
    assert found.probe.memory_bytes > 100 << 20  # torch alone is more
    results = train(job)
    assert (results["steps"], results["parameters"]) == (found.steps, found.parameters)
    written = {path.name for path in (tmp_path / "out").iterdir()} - {".lock", "model.pt.sha256"}
    assert written == found.writes.keys() - {"checkpoint.pt"}
    assert (tmp_path / "out" / "model.pt").stat().st_size == pytest.approx(found.writes["model.pt"], rel=0.2)
    assert found.writes["checkpoint.pt"] == pytest.approx(2 * found.writes["model.pt"], rel=0.1)  # and the momentum


def test_a_plan_of_what_was_begun_or_is_finished_tells_what_is_left(train_job, tmp_path):
    job = train_job(epochs=3)
    with pytest.raises(SystemExit):
        train(job, stopped=StopAfter(9))
    files = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    begun = plan_training(job)
    assert (begun.state, begun.done) == ("begun", 10)
    assert begun.seconds == pytest.approx(11 * begun.probe.step_s)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files
    train(job)
    finished = plan_training(job)
    assert (finished.state, finished.seconds) == ("finished", 0.0)
    assert "21 in 3 epochs of 7, all of them done" in spell_plan(finished)


def test_the_training_after_a_plan_is_the_training_without_one(train_job, tmp_path):
    train(train_job(tmp_path / "one"))
    plan_training(train_job(tmp_path / "two"))
    train(train_job(tmp_path / "two"))
    states = [torch.load(tmp_path / name / "model.pt", weights_only=True)["state"] for name in ("one", "two")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("objective", [{"kind": "jtt", "first": {"epochs": 2}}, {"kind": "eiil"}, {"kind": "jsd"},
                                       {"kind": "sharpdro", "distribution": "agnostic"}], ids=str)  # fmt: skip
def test_every_objective_can_be_planned(train_job, objective):
    found = plan_training(train_job(objective=objective))
    first = {"jtt": 2 * 7, "eiil": 5 * 7}.get(objective["kind"], 0)
    assert found.first_steps == first
    assert found.objective == objective["kind"]
    assert found.seconds == pytest.approx((14 + first) * found.probe.step_s)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 356}, "355 samples"),
        ({"data": {"path": "nowhere"}}, "nowhere"),
        ({"evaluate": {"val": {"path": "nowhere"}}}, "nowhere"),
        ({"network": {"checkpoint": "none.pt"}}, "none.pt"),
    ],
)
def test_a_plan_says_what_the_training_would_refuse(train_job, changes, message, tmp_path):
    with pytest.raises(PassbandError, match=message):
        plan_training(train_job(**changes))
    assert not (tmp_path / "out").exists()


def test_a_dataset_given_by_a_job_is_found_where_it_was_made_and_not_made(train_job, passband, tmp_path):
    given = small_job(tmp_path / "anywhere").model_dump(mode="json", exclude_unset=True)
    (tmp_path / "val.yaml").write_text(yaml.safe_dump(given))
    cache = str(tmp_path / "cache")
    by_file = train_job(evaluate={"val": {"job": str(tmp_path / "val.yaml")}}, datasets=cache)
    spelled_out = train_job(evaluate={"val": {"job": given}}, datasets=cache)
    name = given["name"]
    with pytest.raises(PassbandError, match=f"{name} is not made yet, and a plan makes none; passband run .*val.yaml"):
        find_made(by_file.references(), cache)
    with pytest.raises(PassbandError, match=f"{name} is not made yet, and a plan makes none; the job makes it"):
        find_made(spelled_out.references(), cache)
    file = job_file(by_file, tmp_path)
    assert "is not made yet" in passband("train", file, "--plan")[2]
    assert not Path(cache).exists()
    _, place = generate_cached(small_job(tmp_path / "anywhere"), cache, SilentDisplay())
    for job in (by_file, spelled_out):
        assert find_made(job.references(), cache) == [job.data.path, place]
    _, output, errors = passband("train", file, "--plan")
    assert "14 in 2 epochs of 7" in output, errors


def test_another_training_in_the_folder_is_told_and_kept(train_job, tmp_path):
    train(train_job(epochs=1))
    files = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(PassbandError, match="holds another training"):
        plan_training(train_job(epochs=2))
    found = plan_training(train_job(epochs=2), overwrite=True)
    assert found.deletes.startswith("the training small: 5 files, ")
    assert "deletes      the training small" in spell_plan(found)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


def test_the_command_prints_a_plan_or_json(train_job, passband, tmp_path):
    file = job_file(train_job(), tmp_path)
    _, output, errors = passband("train", file, "--plan")
    assert f"small -> {tmp_path / 'out'} (nothing is written)" in output, errors
    assert "14 in 2 epochs of 7" in output
    found = json.loads(passband("train", file, "--plan", "--json")[1])
    assert (found["steps"], found["epochs"], found["device"]) == (14, 2, "cpu")
    assert found["probe"]["memory_bytes"] > 0
    assert not (tmp_path / "out").exists()


def test_long_epochs_are_told_by_the_plan_and_by_the_training(train_job, monkeypatch):
    assert long_epoch(3600.0) is None
    assert long_epoch(7260.0).startswith("an epoch takes about 2 h 01 min; a GPU")
    monkeypatch.setattr(plan, "LONG_EPOCH_S", 0.0)
    monkeypatch.setattr(session, "_TIMED_S", 0.0)
    found = plan_training(train_job())
    assert [note.startswith("an epoch takes about") for note in found.notes] == [True]
    notes = Notes()
    train(train_job(), display=notes)
    assert [note.startswith("an epoch takes about") for note in notes.told] == [True]  # once


def test_short_epochs_are_not_told(train_job, monkeypatch):
    monkeypatch.setattr(session, "_TIMED_S", 0.0)
    notes = Notes()
    train(train_job(), display=notes)
    assert notes.told == []
    assert plan_training(train_job(Path("elsewhere"))).notes == []
    assert plan_json(plan_training(train_job(Path("elsewhere"))))["notes"] == []
