"""The folder of a training: claimed once every check is through, and overwritten only where that was agreed to."""

import json
from functools import partial

import pytest
import torch
import yaml

from passband.jobs.common.overwrite import claimed
from passband.jobs.generation.run import generate
from passband.jobs.training import run
from passband.jobs.training.output import other_output
from passband.jobs.training.run import check_first, train
from passband.pipeline.errors import PassbandError
from passband.pipeline.layout import LAST_CHECKPOINT
from passband.pipeline.networks.network import load_network
from tests.jobs.generation.made import small_job
from tests.jobs.training.test_run import StopAfter, job_file


def test_another_training_is_replaced_where_that_was_agreed_to(train_job, tmp_path):
    with pytest.raises(SystemExit):
        train(train_job(epochs=5, seed=3), stopped=StopAfter(2))  # its checkpoint must not be gone on from
    job = train_job(epochs=1)
    found = other_output(job)
    assert (found.kind, found.name) == ("training", "small")
    with pytest.raises(PassbandError, match="holds another training; choose another output.uri, or give --ov"):
        train(job)
    train(job, overwrite=True)
    assert other_output(job) is None
    train(train_job(tmp_path / "fresh", epochs=1))
    for name in ("model.pt", "metrics.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_all_of_a_finished_training_can_be_overwritten_by_what_was_agreed_to(train_job, tmp_path):
    train(train_job(epochs=1, output={"tensorboard": True}))
    agreed = claimed(tmp_path / "out")
    assert agreed.kind == "training"
    (tmp_path / "out" / "nonfinite.json").write_text("{}")
    with pytest.raises(PassbandError, match=r"nonfinite\.json came there after"):
        train(train_job(epochs=1, seed=3), overwrite=agreed)
    assert (tmp_path / "out" / "model.pt").exists()


def test_this_very_training_is_gone_on_with_though_it_may_be_overwritten(train_job, tmp_path):
    job = train_job()
    with pytest.raises(SystemExit):
        train(job, stopped=StopAfter(3))
    assert other_output(job) is None
    train(job, overwrite=True)
    lines = [json.loads(line)["step"] for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert lines == list(range(1, 15))
    model = (tmp_path / "out" / "model.pt").stat().st_mtime_ns
    train(job, overwrite=True)
    assert (tmp_path / "out" / "model.pt").stat().st_mtime_ns == model


def test_nothing_is_deleted_before_the_checks_are_through(train_job, tmp_path):
    train(train_job(epochs=1))
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for changes in ({"batch_size": 356}, {"evaluate": {"val": {"path": "nowhere"}}}, {"network": {"checkpoint": "no"}}):
        with pytest.raises(PassbandError):
            train(train_job(epochs=2, **changes), overwrite=True)
        assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_dataset_is_replaced_and_a_strangers_file_never(train_job, tmp_path):
    generate(small_job(tmp_path / "out", name="old"))
    with pytest.raises(PassbandError, match="holds a dataset; choose another output.uri"):
        train(train_job())
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(PassbandError, match="holds thesis.tex, which is not part of the dataset there"):
        train(train_job(), overwrite=True)
    assert (tmp_path / "out" / "manifest.json").exists()
    (tmp_path / "out" / "thesis.tex").unlink()
    train(train_job(), overwrite=True)
    assert not (tmp_path / "out" / "shards").exists()
    assert load_network(tmp_path / "out").spec.kind == "lenet"


def test_the_command_tells_what_it_would_delete(train_job, passband, tmp_path):
    train(train_job(epochs=1))
    file = job_file(train_job(epochs=2), tmp_path)
    status, _, errors = passband("train", file, "--overwrite")
    assert status == 1
    assert "holds the training small: 5 files, " in errors
    assert "add --yes to delete all of it and write the training there" in errors
    assert json.loads((tmp_path / "out" / "results.json").read_text())["epochs"] == 1
    status, _, errors = passband("train", file, "--overwrite", "--yes")
    assert status == 0, errors
    assert "holds the training small: 5 files, " in errors
    assert json.loads((tmp_path / "out" / "results.json").read_text())["epochs"] == 2


def test_a_locked_folder_is_left_alone(train_job, tmp_path):
    from passband.pipeline.lock import locked
    from passband.pipeline.store import LocalStore

    train(train_job(epochs=1))
    before = (tmp_path / "out" / "job.yaml").read_text()
    with locked(LocalStore(tmp_path / "out")), pytest.raises(PassbandError, match="another passband process"):
        train(train_job(epochs=2), overwrite=True)
    assert (tmp_path / "out" / "job.yaml").read_text() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": {"uri": "s3://bucket/x"}}, "is not local"),
        ({"network": {"checkpoint": "none.pt"}}, "none.pt: there is no checkpoint"),
        ({"network": {"kind": "torchvision/resnet50", "weights": "V9"}}, "torchvision has no weights 'V9' for it"),
    ],
)
def test_what_no_dataset_can_mend_is_said_before_one_is_made(train_job, passband, changes, message, tmp_path):
    job = train_job(data={"path": None, "job": "made-if-missing.yaml"}, **changes)
    with pytest.raises(PassbandError, match=message):
        check_first(job)
    if changes != {"output": {"uri": "s3://bucket/x"}}:
        _, _, errors = passband("train", job_file(job, tmp_path))
        assert message.split(":")[-1].strip() in errors
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_folder_of_an_earlier_wide_resnet_goes_on_with_its_stem(train_job, tmp_path):
    """It had one stem at all sizes, and so the identity that a job without a stem had."""
    generate(small_job(tmp_path / "data", image={"size": 66}, views=["clean"], output={"encoding": "npy"}))
    changes = {"path": tmp_path / "data", "network": {"kind": "wide_resnet16_4"}, "batch_size": 8,
               "epochs": None, "steps": 2}  # fmt: skip
    job = train_job(**changes)
    train(job)
    assert load_network(tmp_path / "out").spec.stem == "imagenet"
    envelope = yaml.safe_load((tmp_path / "out" / "job.yaml").read_text())
    dataset = json.loads((tmp_path / "data" / "manifest.json").read_text())["identity"]
    assert envelope["job"]["network"]["stem"] == "imagenet"
    assert envelope["identity"] != job.identity(dataset)
    old = train_job(tmp_path / "old", **(changes | {"network": {"kind": "wide_resnet16_4", "stem": "cifar"}}))
    with pytest.raises(SystemExit):
        train(old, stopped=StopAfter(0))
    envelope = yaml.safe_load((tmp_path / "old" / "job.yaml").read_text())
    del envelope["digest"]
    envelope["job"]["network"]["stem"] = None
    envelope["identity"] = job.identity(dataset)
    (tmp_path / "old" / "job.yaml").write_text(yaml.safe_dump(envelope))
    state = torch.load(tmp_path / "old" / "checkpoint.pt", weights_only=True)
    state["identity"] = envelope["identity"]
    torch.save(state, tmp_path / "old" / "checkpoint.pt")
    (tmp_path / "old" / "checkpoint.pt.sha256").unlink()
    results = train(train_job(tmp_path / "old", **changes))
    assert results["identity"] == job.identity(dataset)
    assert load_network(tmp_path / "old").spec.stem is None


def test_what_another_call_finishes_meanwhile_is_not_trained_again(train_job, tmp_path, monkeypatch):
    job, set_up = train_job(epochs=1), run.set_up

    def slowly(*given):
        monkeypatch.setattr(run, "set_up", set_up)
        others.append(train(job))
        return set_up(*given)

    others = []
    monkeypatch.setattr(run, "set_up", slowly)
    found = train(job)
    assert [found] == others  # the seconds too
    assert not (tmp_path / "out" / LAST_CHECKPOINT).exists()


def test_no_process_is_still_reading_when_the_first_one_deletes(train_job, monkeypatch):
    """With several processes `said_by_any` is where they meet."""
    train(train_job(epochs=1))
    happened = []

    def noted(name, called, *given, **named):
        happened.append(name)
        return called(*given, **named)

    for name in ("_begun", "set_up", "said_by_any", "claim"):
        monkeypatch.setattr(run, name, partial(noted, name, getattr(run, name)))
    train(train_job(epochs=2), overwrite=True)
    before = happened[: happened.index("claim")]
    assert before[before.index("_begun") + 1] == "said_by_any"
    assert before[-2:] == ["set_up", "said_by_any"]
    assert happened[len(before) + 1] == "said_by_any"
