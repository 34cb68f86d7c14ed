"""Two gloo processes take the steps of one."""

import json
import subprocess
import sys

import pytest
import torch
import yaml

from passband.jobs.training.log import read_metrics
from passband.jobs.training.loop import TrainingError
from passband.jobs.training.run import train
from passband.pipeline.networks.network import load_network

JOBS = {
    f"{network}-{name}": {
        "network": {"kind": network},
        "objective": objective,
        "batch_size": batch_size,
        "optimizer": {"lr": rate},
    }
    # At a rate of 0.05 the last bits of the larger network grow to 5e-5 of loss within 18 steps, whoever adds them up.
    for network, batch_size, rate in (("lenet", 180, 0.05), ("convnet", 300, 0.01))
    for name, objective in {
        "erm": {"kind": "erm", "on": "all"},
        "jsd": {"kind": "jsd"},
        "group_dro": {"kind": "group_dro"},
        "sam": {"kind": "sam"},
        "sharpdro": {"kind": "sharpdro"},
    }.items()
}


def torchrun(folder, jobs, processes=2, stop_second_after=None):
    files = []
    for name, job in jobs.items():
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(job.model_dump()))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*launcher, "-m", "tests.jobs.training.several_processes", *map(str, files)]
    if stop_second_after is not None:
        command = [*launcher, "-m", "tests.jobs.training.one_stops", str(files[0]), str(stop_second_after)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(train_job, domains, tmp_path):
    def jobs(place):
        return {
            name: train_job(
                tmp_path / place / name,
                domains,
                data={"views": ["clean", "prime", "low"], "crop_padding": 1, "flip": True},
                epochs=1,
                clip_norm=5.0,
                **changes,
            )
            for name, changes in JOBS.items()
        }

    finished = torchrun(tmp_path, jobs("two"))
    assert finished.returncode == 0, finished.stderr
    for name, job in jobs("one").items():
        train(job)
        one, two = (read_metrics(tmp_path / place / name) for place in ("one", "two"))
        assert len(one) == len(two) >= 5
        for line, other in zip(one, two, strict=True):
            assert line.keys() == other.keys()
            assert other["loss"] == pytest.approx(line["loss"], abs=1e-5), (name, line["step"])
        found, wanted = (load_network(tmp_path / place / name).state_dict() for place in ("two", "one"))
        for key, value in wanted.items():
            assert (found[key] - value).abs().max() < 1e-4, (name, key)


@pytest.mark.slow
def test_a_stopped_training_goes_on_with_another_number_of_processes(train_job, tmp_path):
    class Stop:
        steps = 9

        def __call__(self):
            self.steps -= 1
            return self.steps < 0

    train(train_job(tmp_path / "whole", epochs=3))
    job = train_job(tmp_path / "stopped", epochs=3)
    with pytest.raises(SystemExit):
        train(job, stopped=Stop())
    finished = torchrun(tmp_path, {"stopped": job})
    assert finished.returncode == 0, finished.stderr
    whole, stopped = (read_metrics(tmp_path / name) for name in ("whole", "stopped"))
    assert [line["step"] for line in stopped] == [line["step"] for line in whole]
    for line, other in zip(whole, stopped, strict=True):
        assert other["loss"] == pytest.approx(line["loss"], abs=1e-5)


@pytest.mark.slow
def test_a_stop_that_reaches_one_process_stops_all_after_the_same_step(train_job, tmp_path):
    changes = {"network": {"kind": "wide_resnet16_4"}, "batch_size": 88, "epochs": 1, "compute": {"threads": 1}}
    whole, stopped = (train_job(tmp_path / name, **changes) for name in ("whole", "stopped"))
    ended = torchrun(tmp_path, {"job": stopped}, stop_second_after=1)
    assert ended.returncode == 0, ended.stderr
    assert sorted(ended.stdout.splitlines()) == ["process 0 was stopped", "process 1 was stopped"]
    assert torch.load(tmp_path / "stopped" / "checkpoint.pt", weights_only=True)["step"] == 2
    finished = torchrun(tmp_path, {"whole": whole, "stopped": stopped})
    assert finished.returncode == 0, finished.stderr
    found, wanted = (load_network(tmp_path / name).state_dict() for name in ("stopped", "whole"))
    for name, value in wanted.items():  # batch-norm statistics too, of which each process has its own
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.slow
def test_samples_of_all_processes_are_named_when_a_loss_is_not_finite(train_job, tmp_path):
    job = train_job(optimizer={"lr": 1e30}, schedule={"kind": "constant"})
    assert torchrun(tmp_path, {"job": job}).returncode != 0
    alone = train_job(tmp_path / "alone", optimizer={"lr": 1e30}, schedule={"kind": "constant"})
    with pytest.raises(TrainingError):
        train(alone)
    found, wanted = (json.loads((tmp_path / name / "nonfinite.json").read_text()) for name in ("out", "alone"))
    assert found == wanted
    assert len(found["keys"]) == 50


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_refused(train_job, tmp_path):
    finished = torchrun(tmp_path, {"odd": train_job(batch_size=51)})
    assert finished.returncode != 0
    assert "batch_size: 51 cannot be shared by 2 processes alike" in finished.stderr
