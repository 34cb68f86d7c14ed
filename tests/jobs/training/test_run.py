"""Whole trainings on real digits: what they leave, how they go on, and what they refuse."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from passband.jobs.common.jobfile import JobError
from passband.jobs.generation.run import generate
from passband.jobs.training.log import read_metrics
from passband.jobs.training.loop import TrainingError
from passband.jobs.training.run import train
from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading import open_stream
from passband.pipeline.networks.network import load_network
from passband.pipeline.seals import read_sealed
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job


class StopAfter:
    """Says stop after so many questions; the trainer asks after every step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def in_steps(number: int) -> dict[str, int | None]:
    """Return the changes to a job that make it count steps."""
    return {"epochs": None, "steps": number}


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_network(out).state_dict()


def assert_same_training(out: Path, expected: Path) -> None:
    found, wanted = weights(out), weights(expected)
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert torch.equal(found[name], wanted[name]), name
    assert read_metrics(out) == read_metrics(expected)


def test_a_training_learns_and_says_what_it_did(train_job, digits, tmp_path):
    evaluate = {"digits": {"path": str(digits), "views": ["clean", "prime"]}}
    job = train_job(epochs=30, evaluate=evaluate, output={"log_every_steps": 3, "tensorboard": True})
    results = train(job)
    out = tmp_path / "out"
    clean, augmented = (results["accuracy"][f"accuracy/digits/{view}"] for view in ("clean", "prime"))
    assert clean > 0.9
    assert clean - 0.02 > augmented > 0.2
    assert results == read_sealed(LocalStore(out), "results.json")
    assert results["steps"] == 30 * 7  # 355 samples, batches of 50, the last 5 left out
    lines = read_metrics(out)
    assert [line["step"] for line in lines if "loss" in line] == sorted({*range(3, 211, 3), *range(7, 211, 7)})
    assert sum("accuracy/digits/clean" in line for line in lines) == 30
    assert lines[0]["loss"] > 2 > lines[-2]["loss"] == results["loss"]
    assert list((out / "tensorboard").glob("events.*"))
    assert sorted(p.name for p in out.iterdir() if p.is_file()) == [
        ".lock", "job.yaml", "metrics.jsonl", "model.pt", "model.pt.sha256", "results.json"
    ]  # fmt: skip
    network = load_network(out)
    assert network.spec.classes == list("0123456789")
    assert network.mean.flatten()[0].item() == pytest.approx(0.3, abs=0.1)


def test_a_finished_training_measures_what_is_asked_for_now(train_job, digits, tmp_path):
    first = train(train_job(evaluate={"digits": {"path": str(digits), "views": ["clean"]}}))
    before = (tmp_path / "out" / "model.pt").read_bytes()
    asked = {"evaluate": {"all": {"path": str(digits), "views": ["clean", "low"]}}}
    second = train(train_job(**asked))
    assert second["accuracy"].keys() == {"accuracy/all/clean", "accuracy/all/low"}
    assert second["accuracy"]["accuracy/all/clean"] == first["accuracy"]["accuracy/digits"]
    assert second | {"accuracy": None} == first | {"accuracy": None}
    assert read_sealed(LocalStore(tmp_path / "out"), "results.json") == second
    assert (tmp_path / "out" / "model.pt").read_bytes() == before
    written = (tmp_path / "out" / "results.json").stat().st_mtime_ns
    assert train(train_job(**asked)) == second
    assert (tmp_path / "out" / "results.json").stat().st_mtime_ns == written


def test_the_same_job_gives_the_same_bits(train_job, tmp_path):
    for name in ("one", "two"):
        train(train_job(tmp_path / name))
    assert_same_training(tmp_path / "one", tmp_path / "two")
    other = train_job(tmp_path / "three", seed=2)
    train(other)
    assert not torch.equal(weights(tmp_path / "one")["body.0.weight"], weights(tmp_path / "three")["body.0.weight"])


@pytest.mark.parametrize(
    "stops", [[3, 0, 2], *(pytest.param(stops, marks=pytest.mark.slow) for stops in ([1], [7, 7, 1], [6]))]
)
def test_a_stopped_training_goes_on_bit_for_bit(train_job, tmp_path, stops):
    changes = {
        "data": {"views": ["clean", "prime"], "crop_padding": 2, "flip": True},
        "objective": {"kind": "jsd"},
        "optimizer": {"kind": "adam", "lr": 1e-3},
        "schedule": {"kind": "one_cycle"},
        "swa": {"start": 0.3},
        "epochs": 4,
    }
    train(train_job(tmp_path / "whole", **changes))
    job = train_job(tmp_path / "stopped", **changes)
    for steps in stops:
        with pytest.raises(SystemExit):
            train(job, stopped=StopAfter(steps))
    train(job)
    assert_same_training(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.parametrize("kind", ["lenet", pytest.param("densenet_small", marks=pytest.mark.slow)])
def test_a_stopped_training_with_dropout_draws_the_same_masks(train_job, tmp_path, kind):
    changes = {"network": {"kind": kind, "batch_norm": True, "dropout": 0.5}, "swa": {"start": 0.5}}
    train(train_job(tmp_path / "whole", **changes))
    job = train_job(tmp_path / "stopped", **changes)
    for steps in (3, 5):
        with pytest.raises(SystemExit):
            train(job, stopped=StopAfter(steps))
    train(job)
    assert_same_training(tmp_path / "stopped", tmp_path / "whole")
    plain = train_job(network={"kind": kind})
    assert "dropout" not in plain.model_dump()["network"]
    none = train_job(network={"kind": kind, "dropout": 0.0})
    assert len({made.identity("0" * 64) for made in (plain, job, none)}) == 3


def job_file(job, folder: Path) -> Path:
    file = folder / "train.yaml"
    file.write_text(yaml.safe_dump(job.model_dump()))
    return file


def run_command(job, folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "passband", "train", str(job_file(job, folder)), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_step(out: Path, step: int) -> None:
    deadline = time.monotonic() + 120
    while not (out / "metrics.jsonl").exists() or not any(m["step"] >= step for m in read_metrics(out)):
        assert time.monotonic() < deadline, "the training did not begin"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_training_goes_on_bit_for_bit(train_job, tmp_path):
    changes = {"epochs": 60, "output": {"log_every_steps": 5, "checkpoint_every_s": 0.0}, "compute": {"threads": 1}}
    threads = torch.get_num_threads()
    try:
        train(train_job(tmp_path / "whole", **changes))
    finally:
        torch.set_num_threads(threads)
    job, out = train_job(tmp_path / "killed", **changes), tmp_path / "killed"
    for step in (20, 120):
        child = run_command(job, tmp_path)
        wait_for_step(out, step)
        child.kill()
        child.communicate()
        assert not (out / "model.pt").exists()
    child = run_command(job, tmp_path)
    output, errors = child.communicate(timeout=120)
    assert child.returncode == 0, errors
    assert "from step 1" in errors  # it went on after step 100, and did not begin anew
    assert_same_training(out, tmp_path / "whole")


def test_sigterm_writes_a_checkpoint_and_says_how_to_go_on(train_job, tmp_path):
    job = train_job(epochs=2000, output={"checkpoint_every_s": 1e6}, compute={"threads": 1})
    out = tmp_path / "out"
    child = run_command(job, tmp_path)
    wait_for_step(out, 10)
    os.kill(child.pid, signal.SIGTERM)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 128 + signal.SIGTERM
    assert "the same command resumes" in errors
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert state["step"] == read_metrics(out)[-1]["step"]


def test_the_command_prints_a_table_or_json(train_job, passband, tmp_path):
    file = job_file(train_job(epochs=1), tmp_path)
    status, output, errors = passband("train", file)
    assert status == 0, errors
    assert "lenet" in output
    assert max(map(len, output.splitlines()[:-1])) <= 60
    assert "small: lenet, erm, 355 samples x 3 views, 1 epochs" in errors
    _, again, _ = passband("train", file, "--json")
    events = [json.loads(line) for line in again.splitlines()]
    assert [event["event"] for event in events] == ["finished"]  # it was finished: nothing is trained twice
    assert events[0]["steps"] == 7


def test_what_is_not_finite_stops_before_the_step_and_names_the_samples(train_job, tmp_path):
    job = train_job(optimizer={"lr": 1e30}, schedule={"kind": "constant"})
    with pytest.raises(TrainingError, match=r"step 1: the .* is (nan|inf); nothing was stepped; samples: ") as caught:
        train(job)
    assert str(caught.value).endswith(" and 34 more; there is no checkpoint")
    assert caught.value.keys[0] in str(caught.value)
    found = json.loads((tmp_path / "out" / "nonfinite.json").read_text())
    assert found == {"step": 1, "keys": caught.value.keys}
    assert len(set(found["keys"])) == 50


def test_another_job_in_the_same_folder_is_refused(train_job, tmp_path):
    train(train_job(epochs=1))
    with pytest.raises(PassbandError, match="holds another training"):
        train(train_job(epochs=2))
    train(train_job(epochs=1, output={"log_every_steps": 7}, compute={"workers": 1}))  # cadence and place do not count


def test_a_folder_with_other_files_is_refused(train_job, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    with pytest.raises(PassbandError, match="holds thesis.tex but no job.yaml"):
        train(train_job())


def test_a_damaged_checkpoint_is_named(train_job, tmp_path):
    job = train_job()
    with pytest.raises(SystemExit):
        train(job, stopped=StopAfter(2))
    (tmp_path / "out" / "checkpoint.pt").write_bytes(b"half a checkpoint")
    with pytest.raises(
        IntegrityError, match=r": has sha256 .*; delete checkpoint.pt and checkpoint.pt.sha256 to begin"
    ):
        train(job)
    (tmp_path / "out" / "checkpoint.pt.sha256").unlink()
    with pytest.raises(IntegrityError, match=r"checkpoint.pt: cannot be read; delete checkpoint.pt and "):
        train(job)


def test_steps_of_whole_epochs_are_those_epochs(train_job, tmp_path):
    results = [train(train_job(tmp_path / name, **changes)) for name, changes in (("a", {}), ("b", in_steps(14)))]
    assert_same_training(tmp_path / "b", tmp_path / "a")
    assert [result["epochs"] for result in results] == [2, 2]


@pytest.mark.parametrize("views_as_samples", [False, True])
def test_a_training_of_steps_ends_within_an_epoch_and_resumes_bit_for_bit(
    train_job, digits, tmp_path, views_as_samples
):
    changes = {
        **in_steps(10),
        "data": {"views_as_samples": views_as_samples},
        "swa": {"start": 0.0},
        "evaluate": {"digits": {"path": str(digits), "every_epochs": 5}},
    }
    per_epoch = 21 if views_as_samples else 7
    whole = train(train_job(tmp_path / "whole", **changes))
    assert (whole["steps"], whole["epochs"]) == (10, 10 / per_epoch)
    assert whole["accuracy"].keys() == {"accuracy/digits"}
    lines = read_metrics(tmp_path / "whole")
    assert [line["step"] for line in lines if "accuracy/digits" in line] == [10]
    rates = [line["lr"] for line in lines if "lr" in line]
    assert rates == pytest.approx([0.05 * 0.5 * (1 + math.cos(math.pi * step / 10)) for step in range(10)])
    for stops in (3, 7, 9):
        job = train_job(tmp_path / str(stops), **changes)
        with pytest.raises(SystemExit):
            train(job, stopped=StopAfter(stops))
        train(job)
        assert_same_training(tmp_path / str(stops), tmp_path / "whole")


def test_a_training_counts_epochs_or_steps(train_job):
    for changes in ({"epochs": None}, {"steps": 3}):
        with pytest.raises(JobError, match="a training needs either epochs or steps"):
            train_job(**changes)
    with pytest.raises(JobError, match="views_by_epoch and data.views_as_samples exclude each other"):
        train_job(data={"views_by_epoch": True, "views_as_samples": True})


@pytest.mark.parametrize(
    ("objective", "identity"),
    [
        ({"kind": "jsd"}, "80b5dbe3a4ef06ee80acd204ef9bbf5be0d860d25c6dc589d645c8781407d42a"),
        ({"kind": "group_dro"}, "7aedf7390fdc8c18844e3138b3b7ee223c340567a4992fe2803b23d42793f7bb"),
        ({"kind": "group_dro", "step": 0.5}, "1bcf8df17d5b5f7f9eeb5fe37da0945103bf8d0b07764117fa762fec3d22ab8a"),
        ({"kind": "group_dro", "eta": 0.5}, "1bcf8df17d5b5f7f9eeb5fe37da0945103bf8d0b07764117fa762fec3d22ab8a"),
        ({"kind": "eiil"}, "99f7023b71c8a5556a33e728d23955dec7fa67dc68c0c99dfccb720b6544f8b1"),
    ],
)
def test_trainings_keep_the_identity_that_they_had_before_there_were_steps_and_eta(train_job, objective, identity):
    job = train_job(path="x", objective=objective, optimizer={"lr": 0.1})
    assert job.identity("0" * 64) == identity
    assert job.model_copy(update={"steps": 14, "epochs": None}).identity("0" * 64) != job.identity("0" * 64)


def test_what_killed_trainings_left_is_removed(train_job, tmp_path):
    job = train_job()
    with pytest.raises(SystemExit):
        train(job, stopped=StopAfter(2))
    left = tmp_path / "out" / ".passband-host-12-0badcafe-checkpoint.pt"  # killed while it wrote
    left.write_bytes(b"half")
    train(job)
    assert not left.exists()
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock") == [
        "job.yaml",
        "metrics.jsonl",
        "model.pt",
        "model.pt.sha256",
        "results.json",
    ]


def test_a_checkpoint_that_outlived_its_training_is_removed(train_job, tmp_path):
    train(train_job(epochs=1))
    (tmp_path / "out" / "checkpoint.pt").write_bytes(b"killed before it was deleted")
    train(train_job(epochs=1))
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_a_damaged_dataset_stops_the_training(train_job, digits, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    shard = next((copy / "shards").glob("*-000003.tar"))
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(IntegrityError, match="000003.tar: sha256"):
        train(train_job(path=copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compute": {"device": "cuda"}}, "compute.device: cuda is asked for"),
        ({"output": {"uri": "s3://bucket/x"}}, "output.uri: .* is not local"),
        ({"batch_size": 356}, "355 samples"),
        ({"data": {"views": ["clean", "none"]}}, "none"),
        ({"data": {"views_by_epoch": True}, "epochs": 4}, "views_by_epoch: 4 epochs need as many views; there are 3"),
        (
            {"data": {"views_by_epoch": True}, **in_steps(22)},
            "views_by_epoch: 4 epochs need as many views; there are 3",
        ),
        ({"objective": {"kind": "jsd"}, "data": {"views_as_samples": True}}, "objective: .*views"),
        ({"network": {"checkpoint": "none.pt"}}, "none.pt"),
        ({"objective": {"kind": "jsd"}, "data": {"views": ["clean"]}}, "objective: .*views"),
        ({"network": {"mean": [0.5], "std": [0.5]}}, r"network: mean \[0.5\] and std \[0.5\]; .* 3 channels"),
        ({"evaluate": {"val": {"path": "nowhere"}}}, "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_refused(train_job, changes, message, tmp_path):
    if changes == {"compute": {"device": "cuda"}} and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(PassbandError, match=message):
        train(train_job(**changes))
    assert not (tmp_path / "out").exists()  # nothing is claimed, so that the mended job can have the folder


def test_an_evaluation_that_does_not_fit_is_refused_before_the_first_step(train_job, digits, tmp_path):
    generate(small_job(tmp_path / "larger", image={"size": 20}))
    for reference, message in [
        ({"path": str(digits), "views": ["none"]}, "has no view 'none'"),
        ({"path": str(tmp_path / "larger")}, r"evaluate.val: .* \[3, 20, 20\], the training set .* \[3, 16, 16\]"),
    ]:
        with pytest.raises(PassbandError, match=message):
            train(train_job(evaluate={"val": reference}))
        assert not (tmp_path / "out").exists()


def test_statistics_of_views_that_are_not_clipped_are_measured_as_they_are_stored(train_job, tmp_path):
    views = ["clean", {"radial": {"high": 4, "range": "float"}, "name": "low"}]
    generate(small_job(tmp_path / "floats", views=views, output={"encoding": "npy"}))
    train(train_job(data={"path": str(tmp_path / "floats"), "views": ["low"]}, epochs=1))
    with open_stream(tmp_path / "floats", views=["low"], batch_size=355, shuffle=False) as stream:
        images = next(iter(stream)).images["low"].double()
    assert images.max() > 1
    spec = load_network(tmp_path / "out").spec
    assert spec.mean == pytest.approx(images.mean((0, 2, 3)).tolist(), abs=1e-4)
    assert spec.std == pytest.approx(images.std((0, 2, 3)).tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": {"kind": "step", "milestones": [30.0, 60.0]}}, r"schedule.milestones\[0\]: got 30.0"),
        ({"network": {"mean": [0.5] * 3, "std": [0.5, 0.0, 0.5]}}, r"network.std\[1\]: got 0.0"),
    ],
)
def test_numbers_out_of_range_are_refused(train_job, changes, message):
    with pytest.raises(JobError, match=message):
        train_job(**changes)


def test_a_checkpoint_is_trained_on(train_job, tmp_path):
    train(train_job(tmp_path / "first", epochs=30))
    tuned = train_job(tmp_path / "second", epochs=1, network={"checkpoint": str(tmp_path / "first")}, seed=9)
    train(tuned)
    losses = [read_metrics(tmp_path / name)[0]["loss"] for name in ("first", "second")]
    assert losses[1] < 1 < 2 < losses[0]
    with pytest.raises(JobError, match="holds lenet, network.kind is convnet"):
        train(train_job(tmp_path / "x", network={"kind": "convnet", "checkpoint": str(tmp_path / "first")}))


WITH_LARGE_NETWORKS = (
    {"compute": {"channels_last": True}, "network": {"kind": "resnet18"}, "batch_size": 177, "epochs": 1},
    {"swa": {"start": 0.0}, "network": {"kind": "wide_resnet16_4"}, "batch_size": 177},
)


@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bfloat16"},
        {"clip_norm": 0.1},
        {"optimizer": {"kind": "adamw"}},
        {"optimizer": {"nesterov": True}},
        {"data": {"balance": "class"}},
        {"data": {"views_by_epoch": True}},
        {"data": {"views_by_epoch": True}, "epochs": 3},
        {"data": {"views_as_samples": True}},
        {"data": {"views_as_samples": True, "balance": "class", "crop_padding": 2, "flip": True}, **in_steps(5)},
        *(pytest.param(changes, marks=pytest.mark.slow) for changes in WITH_LARGE_NETWORKS),
    ],
    ids=str,
)
def test_options_train(train_job, changes):
    results = train(train_job(**changes))
    assert 0 < results["loss"] < 3


def test_swa_keeps_the_mean_of_the_weights_after_each_of_the_last_epochs(train_job, tmp_path):
    train(train_job(tmp_path / "swa", swa={"start": 0.5}, epochs=4, schedule={"kind": "constant"}))
    ends = []
    for epochs in (3, 4):
        train(train_job(tmp_path / f"{epochs}", epochs=epochs, schedule={"kind": "constant"}))
        ends.append(weights(tmp_path / f"{epochs}"))
    averaged = weights(tmp_path / "swa")
    for name, value in averaged.items():
        torch.testing.assert_close(value, (ends[0][name] + ends[1][name]) / 2, rtol=0, atol=1e-6)


def test_a_training_set_of_one_severity_is_of_one_group(train_job, tmp_path):
    base = [{"corrupt": {"types": "contrast", "severity": 3}}]
    generate(small_job(tmp_path / "data", base=base, views=["clean"]))
    with pytest.raises(JobError, match="group_dro needs two or more groups; the training set has 1"):
        train(train_job(path=tmp_path / "data", objective={"kind": "group_dro"}))
