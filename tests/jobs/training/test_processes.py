"""Two gloo processes take the steps of one."""

import subprocess
import sys

import pytest
import yaml

from jobs.training.log import read_metrics
from jobs.training.run import train
from pipeline.networks.network import load_network

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


def torchrun(folder, jobs, processes=2):
    files = []
    for name, job in jobs.items():
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(job.model_dump()))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [*launcher, "-m", "tests.jobs.training.several_processes", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


def test_two_processes_take_the_steps_of_one(train_job, domains, tmp_path):
    def jobs(place):
        return {
            name: train_job(
                tmp_path / place / name,
                domains,
                data={"views": ["clean", "view1", "low"], "crop_padding": 1, "flip": True},
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


def test_a_batch_that_cannot_be_shared_is_refused(train_job, tmp_path):
    finished = torchrun(tmp_path, {"odd": train_job(batch_size=51)})
    assert finished.returncode != 0
    assert "batch_size: 51 cannot be shared by 2 processes alike" in finished.stderr
