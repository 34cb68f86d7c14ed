"""Where rank and world size come from when they are not given."""

import json
import subprocess
import sys

import pytest
import torch.distributed

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream

SCRIPT = """if True:
    import json, os, sys
    from passband.pipeline.loading import open_stream
    path, out = sys.argv[1:]

    def told(stream):
        with stream:
            return {"indices": [i for batch in stream for i in batch.indices.tolist()], "repr": repr(stream)}

    found = {"environment": told(open_stream(path, batch_size=20, drop_last=False))}
    # opened first, as where the process group is a framework's business
    late = open_stream(path, batch_size=20, drop_last=False, rank=None, world_size=None)
    import torch.distributed
    torch.distributed.init_process_group("gloo")
    found["late"] = told(late)
    found["group"] = told(open_stream(path, batch_size=20, drop_last=False))
    torch.distributed.destroy_process_group()
    with open(f"{out}/{os.environ['RANK']}.json", "w") as file:
        json.dump(found, file)
"""


@pytest.fixture(scope="module")
def ranks(npy, tmp_path_factory):
    """Return what each of two processes of torchrun found, by where its stream had rank and world size from."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*command, str(folder / "script.py"), str(npy.path), str(folder)], check=True)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.fixture
def environment(monkeypatch):
    """Set the launcher's variables alone: environment(RANK="1", ...)."""

    def changed(**variables):
        for name in ("RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    changed()
    return changed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("group", "source"),
    [
        ("environment", "from torchrun's environment"),
        ("group", "from torch.distributed"),
        ("late", "from torch.distributed"),
    ],
)
def test_two_processes_of_torchrun_share_the_samples(npy, ranks, group, source):
    first, second = (found[group] for found in ranks)
    assert not set(first["indices"]) & set(second["indices"])
    assert sorted(first["indices"] + second["indices"]) == sorted(npy.samples)
    for rank, found in enumerate((first, second)):
        assert f"rank {rank} of 2, {source}" in found["repr"]


def test_a_stream_that_was_opened_before_the_process_group_follows_it(npy, environment, tmp_path):
    with (
        open_stream(npy.path, batch_size=50) as stream,
        open_stream(npy.path, batch_size=50, rank=0, world_size=1) as given,
        open_stream(npy.path, batch_size=355) as whole,
    ):
        assert "rank 0 of 1, by default" in repr(stream)
        assert len(stream) == 7
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
        try:
            assert "rank 0 of 1, from torch.distributed" in repr(stream)
            assert "rank 0 of 1, as given" in repr(given)
            assert len(list(whole)) == 1
        finally:
            torch.distributed.destroy_process_group()


def test_what_is_given_counts_before_the_environment(npy, environment):
    environment(RANK="1", WORLD_SIZE="2")
    with (
        open_stream(npy.path, batch_size=50) as found,
        open_stream(npy.path, batch_size=50, rank=0, world_size=1) as own,
    ):
        assert (len(found), len(own)) == (3, 7)
        assert "rank 1 of 2, from torchrun's environment" in repr(found)
        assert "rank 0 of 1, as given" in repr(own)


def test_variables_of_other_launchers_are_left_alone(npy, environment, monkeypatch):
    for name, value in {
        "SLURM_PROCID": "1",
        "SLURM_NTASKS": "2",
        "OMPI_COMM_WORLD_RANK": "1",
        "LOCAL_RANK": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with open_stream(npy.path, batch_size=50) as stream:
        assert "rank 0 of 1, by default" in repr(stream)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "2"}, "the environment has WORLD_SIZE='2' but no RANK, and torchrun sets both"),
        ({"WORLD_SIZE": ""}, "the environment has WORLD_SIZE='' but no RANK"),
        ({"RANK": "0"}, "the environment has RANK='0' but no WORLD_SIZE"),
        ({"RANK": "", "WORLD_SIZE": "2"}, "the environment has RANK=''; it must be an integer of at least 0"),
        ({"RANK": "0", "WORLD_SIZE": ""}, "the environment has WORLD_SIZE=''; it must be an integer of at least 1"),
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK='one'; it must be an integer"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK='-1'; it must be an integer"),
        ({"RANK": "1.0", "WORLD_SIZE": "2"}, "RANK='1.0'; it must be an integer"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "WORLD_SIZE='0'; it must be an integer of at least 1"),
        ({"RANK": "9" * 5000, "WORLD_SIZE": "2"}, "RANK='9{40}'; it must be an integer"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2 and WORLD_SIZE=2; RANK is at most one less"),
    ],
)
def test_half_an_environment_is_one_line(npy, environment, variables, message):
    environment(**variables)
    with pytest.raises(PassbandError, match=message) as raised:
        open_stream(npy.path, batch_size=50)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
    with open_stream(npy.path, batch_size=50, rank=0, world_size=2) as stream:
        assert len(stream) == 3


@pytest.mark.parametrize("given", [{"rank": 1}, {"world_size": 2}, {"rank": 0}, {"world_size": 1}])
def test_one_of_the_two_alone_is_refused(npy, environment, given):
    (name,) = given
    with pytest.raises(PassbandError, match=rf"^{name} is \d, but \w+ is not given; give both, or neither"):
        open_stream(npy.path, batch_size=50, **given)
