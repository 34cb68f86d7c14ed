import json
import os
import signal

import pytest

from passband.jobs.bench import progress as shown
from passband.jobs.bench.device import COPY_BYTES
from passband.jobs.commands.shared import stop
from passband.kernels.cuda import device as cuda

SMALL = ("--size", 16, "--batch", 2, "--rounds", 2)


@pytest.fixture(autouse=True)
def small_copies(monkeypatch):
    monkeypatch.setitem(COPY_BYTES, "cpu", 2**20)


def test_json_is_all_that_stdout_gets(passband, tmp_path):
    output = tmp_path / "found.json"
    words = ("bench", "augment", "--stage", "dct_flip", *SMALL, "--price-per-hour", 2, "--output", output, "--json")
    status, out, err = passband(*words)
    assert status == 0
    document = json.loads(out)
    assert (document["kind"], document["schema_version"]) == ("bench augment", 1)
    (row,) = document["rows"]
    assert (row["name"], row["size"], row["batch"], row["rounds"]) == ("dct_flip", 16, 2, 2)
    assert row["cost_per_million_images"] > 0
    assert json.loads(output.read_text()) == document
    assert "timing: 4 runs" in err
    assert passband(*words)[0] == 0  # over a result of our own


@pytest.mark.parametrize("columns", [60, 120])
def test_the_table_fits_the_terminal(passband, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    status, out, _ = passband("bench", "augment", "--stage", "radial", "--pixels", "uint8", *SMALL)
    assert status == 0
    assert "radial/band" in out
    assert max(map(len, out.splitlines())) <= columns


def test_a_dry_run_lists_cases_and_writes_nothing(passband, tmp_path):
    output = tmp_path / "found.json"
    words = ("bench", "augment", "--stage", "radial", *SMALL, "--dry-run", "--output", output)
    status, out, _ = passband(*words)
    assert (status, out.count("radial/")) == (0, 3)
    assert "3 cases, about" in out
    found = json.loads(passband(*words, "--json")[1])
    assert found["seconds"] > 0
    assert [trial["case"]["variant"] for trial in found["cases"]] == ["low", "high", "band"]
    assert not output.exists()


def test_a_case_that_fails_is_told_and_is_status_1(passband, tmp_path):
    words = ("--stage", "sada", "--stage", "dct_flip", *SMALL, "--checkpoint", tmp_path)
    status, out, _ = passband("bench", "augment", *words)
    assert status == 1
    assert "sada at 16 px failed: NetworkError" in out
    assert "dct_flip" in out


def test_cuda_without_a_gpu_is_one_line(passband, monkeypatch):
    def missing():
        raise cuda.DeviceError("backend cuda needs CuPy (install passband[cuda13] or [cuda12]): No module named 'cupy'")

    monkeypatch.setattr(cuda, "current", missing)
    for command in ("augment", "training"):
        status, out, err = passband("bench", command, "--backend", "cuda")
        assert (status, out) == (1, "")
        assert err.startswith("passband: backend cuda needs CuPy (install passband[cuda13]")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("augment", "--backend", "tpu"), "--backend tpu: allowed are cpu, cuda"),
        (("augment", "--pixels", "int4"), "--pixels int4: allowed are float32, uint8"),
        (("augment", "--stage", "nothing"), "--stage nothing: fits none of radial/low"),
        (("augment", "--price-per-hour", "inf"), "--price-per-hour inf: is not a price"),
        (("augment", "--output", "found.txt"), "--output found.txt: is to be a file that ends in .json"),
        (("augment", "--output", "other.json"), "--output other.json: is there already"),
        (("training", "--network", "vgg"), "--network vgg: allowed are convnet"),
        (("training", "--encoding", "gif"), "--encoding gif: allowed are png, webp, npy, jpeg"),
        (("training", "--way", "jax"), "--way jax: allowed are stored, kernels, torch"),
    ],
)
def test_what_cannot_be_is_one_line(passband, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    status, out, err = passband("bench", *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"passband: {message}")
    assert err.count("\n") == 1


def test_ctrl_c_prints_what_was_measured(passband, monkeypatch):
    class Impatient(shown.BenchDisplay):
        def advance(self, name):
            super().advance(name)
            if self.name == "timing" and self.done == 4:  # copy, both cases, and the copy of the second round
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(shown, "BenchDisplay", Impatient)
    monkeypatch.setattr(stop, "number", 0)
    monkeypatch.setattr(stop, "told", stop.told)
    words = ("--stage", "radial/low", "--stage", "dct_flip", *SMALL)
    status, out, err = passband("bench", "augment", *words, "--json")
    document = json.loads(out)
    assert status == 130
    assert (document["complete"], [row["rounds"] for row in document["rows"]]) == (False, [1, 1])
    assert err.endswith("passband: stopped; the figures are of what was done until then\n")
