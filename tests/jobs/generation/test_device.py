"""Generation on a device: the CPU in a GPU's place, with the memory, the streams and the faults of one."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from passband.jobs.dataset.packing import Packer
from passband.jobs.executors.base import DeviceFailure, ExecutorError
from passband.jobs.generation.run import generate
from passband.jobs.generation.worker import ShardTask
from passband.kernels.cuda.device import VARIABLE, use
from tests.cuda_host.device import HostDevice, HostFailure
from tests.jobs.generation import devices
from tests.jobs.generation.made import small_job, stored_bytes

VIEWS = [
    "clean",
    {"prime": {"preset": "cifar"}},
    {"radial": {"high": 4}, "name": "low"},
    {"corrupt": {"types": ["gaussian_noise", "shot_noise", "snow"], "severity": {"uniform": [0, 5]}}},
]
BASE = [{"corrupt": {"types": "gaussian_noise", "severity": 1}}]
CUDA = {"backend": "cuda", "executor": "inline"}


def job(out, **compute):
    return small_job(out, views=VIEWS, base=BASE, compute=CUDA | compute)


def records(out):
    return [json.loads(path.read_text()) for path in sorted(out.glob("records/*.json"))]


def members(out, ending):
    """Return name of a stored view -> its bytes."""
    found = {}
    for path in sorted(Path(out).glob("shards/*.tar")):
        with tarfile.open(path) as tar:
            named = [member for member in tar.getmembers() if member.name.endswith(ending)]
            found |= {member.name: tar.extractfile(member).read() for member in named}
    return found


def pixels(out):
    """Return name of a stored view -> its pixels."""
    images = members(out, ".png").items()
    return {name: np.asarray(Image.open(io.BytesIO(content)), np.int16) for name, content in images}


def halves(out):
    """Return name of a stored view -> its values."""
    return {name: np.load(io.BytesIO(content)) for name, content in members(out, ".npy").items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The dataset made by the device without faults, all samples of a shard at once."""
    out = tmp_path_factory.mktemp("device")
    with use(HostDevice()):
        generate(job(out))
    return out


def test_the_views_are_those_of_the_cpu_to_a_last_step(made, tmp_path):
    generate(job(tmp_path, backend="cpu"))
    expected, found = pixels(tmp_path), pixels(made)
    assert found.keys() == expected.keys()
    assert len(found) == 4 * 355
    differences = np.stack([abs(found[name] - expected[name]) for name in expected])
    assert differences.max() <= 1
    assert (differences > 0).mean() < 1e-3


def test_views_in_half_precision_are_those_of_the_cpu_to_a_last_bit(tmp_path):
    views = ["clean", {"radial": {"low": 4, "range": "float"}, "name": "rest"}]
    with use(HostDevice()):
        generate(small_job(tmp_path / "device", views=views, compute=CUDA))
    generate(small_job(tmp_path / "cpu", views=views))
    found, expected = halves(tmp_path / "device"), halves(tmp_path / "cpu")
    assert found.keys() == expected.keys()
    assert len(found) == 355
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2**-10, atol=1e-6)


@pytest.mark.parametrize("batch_size", [7, 16])
def test_batches_in_flight_change_no_byte(made, tmp_path, batch_size):
    with use(HostDevice(seed=1)):
        generate(job(tmp_path, batch_size=batch_size))
    assert stored_bytes(tmp_path) == stored_bytes(made)


def test_a_stream_that_does_not_wait_is_seen(made, tmp_path):
    """The proof that the test above can fail: without events the kernels read what no copy has brought."""
    with use(devices.Hasty()):
        generate(job(tmp_path, batch_size=16))
    assert stored_bytes(tmp_path) != stored_bytes(made)


def test_too_little_memory_halves_the_batch_and_says_so(made, tmp_path):
    with use(devices.Small()) as device:
        generate(job(tmp_path))
    assert stored_bytes(tmp_path) == stored_bytes(made)
    assert device.kept == [0, 0]  # what did not fit is gone before less is tried
    notes = [note for record in records(tmp_path) for note in record["notes"]]
    assert notes == [
        "out of memory with 50 samples at once; from now on 25",
        "out of memory with 25 samples at once; from now on 13",
    ]


def test_a_failed_attempt_leaves_nothing_on_the_device(made, tmp_path, monkeypatch):
    encode, failing, before = Packer.encode, iter([False, True]), devices.alive()

    def encode_but_once(*arguments):
        if next(failing, False):
            raise RuntimeError("once")
        return encode(*arguments)

    monkeypatch.setattr(Packer, "encode", encode_but_once)
    with use(HostDevice()):
        generate(job(tmp_path, batch_size=7))
    assert [record["attempts"] for record in records(tmp_path)][0] == 2
    assert stored_bytes(tmp_path) == stored_bytes(made)
    assert devices.alive() <= before


def test_a_resumed_run_is_told_where_it_began(made, tmp_path, passband):
    """On another backend the last bit of a pixel may differ: never mixed."""
    with use(HostDevice()):
        generate(job(tmp_path))
    file = tmp_path / "again.json"
    file.write_text(job(tmp_path, backend="cpu").model_dump_json(by_alias=True, exclude_none=True))
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "records" / "000001.json").unlink()
    status, _, err = passband("run", file)
    assert status == 1
    assert "backend cuda (here cpu)" in err


def test_a_device_that_fails_ends_an_inline_run_in_one_line(tmp_path):
    broken = devices.Broken(tmp_path / "broken")
    with use(broken), pytest.raises(ExecutorError, match="the device failed: an illegal memory access"):
        generate(job(tmp_path / "out"))


@pytest.mark.parametrize("told", ["an illegal memory access", "std::bad_alloc"])
def test_a_failure_of_the_device_is_told_as_one_and_not_as_a_lack_of_memory(told, monkeypatch):
    def fail(task, attempt):
        raise HostFailure(told)  # a RuntimeError, as on a real GPU

    monkeypatch.setattr("passband.jobs.generation.worker.build_shard", fail)
    with use(HostDevice()), pytest.raises(DeviceFailure, match=f"the device failed: {told}"):
        ShardTask("out", "0" * 64, 0).run(1)


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_each_worker_holds_a_gpu_and_a_fresh_process_replaces_one_whose_device_failed(made, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, f"tests.jobs.generation.devices:Broken:{tmp_path / 'broken'}")
    with use(devices.Pair()):
        generate(job(tmp_path / "out", executor="ray", workers=2))
    assert stored_bytes(tmp_path / "out") == stored_bytes(made)
    found = records(tmp_path / "out")
    lost = (tmp_path / "broken").read_text()
    again = [record for record in found if record["attempts"] > 1]
    assert len(again) == 1
    assert not again[0]["worker"].endswith(f":{lost}")
    assert {record["device"] for record in found} <= {"host 0", "host 1"}  # the fresh process may come too late


@pytest.mark.usefixtures("ray_session")
def test_more_workers_than_gpus_are_refused(tmp_path, passband):
    with use(HostDevice()), pytest.raises(Exception, match="workers is 3: this machine has 1 GPUs"):
        generate(job(tmp_path / "out", executor="ray", workers=3))
