"""The name `passband`: in a folder with people's own `pipeline.py`, `jobs/` and `kernels/`, and out of a wheel."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.jobs.generation.made import small_job, stored_bytes

ROOT = Path(__file__).parent.parent
THEIRS = "raise RuntimeError('this is the file of a user, and nothing of Passband may import it')\n"


@pytest.fixture
def theirs(tmp_path):
    """A folder in which somebody works, with modules that are called as ours are."""
    folder = tmp_path / "theirs"
    for name in ("pipeline.py", "jobs/__init__.py", "kernels/__init__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(THEIRS)
    return folder


def call(folder, *words, **environment):
    """Call Python in a folder; its own files come first in the path, as in any script there."""
    finished = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True, env=os.environ | environment
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def job_file(folder, **changes):
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(small_job(folder / "data", **changes).model_dump(mode="json", exclude_unset=True)))
    return path


def train_file(folder):
    path = folder / "train.yaml"
    given = {
        "kind": "train",
        "name": "small",
        "data": {"path": "data"},
        "network": {"kind": "lenet"},
        "objective": {"kind": "erm"},
        "epochs": 1,
        "batch_size": 50,
        "output": {"uri": "trained", "tensorboard": False},
        "compute": {"device": "cpu"},
    }
    path.write_text(yaml.safe_dump(given))
    return path


def test_the_package_gives_what_people_use_when_it_is_asked_for(theirs):
    script = (
        "import sys, passband\n"
        "before = 'torch' in sys.modules\n"
        "from passband import Batch, Stream, load_network, open_stream\n"
        "print(before, open_stream.__module__, passband.__version__, set(passband.__all__) <= set(dir(passband)))"
    )
    before, module, version, listed = call(theirs, "-c", script).split()
    assert (before, module, listed) == ("False", "passband.pipeline.loading", "True")
    assert version[0].isdigit()
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'passband'"):
        from passband import nothing  # noqa: F401


def test_a_users_own_modules_are_not_met(theirs):
    call(theirs, "-m", "passband", "run", job_file(theirs))
    script = "from passband import open_stream; print(len(list(open_stream('data', batch_size=50))))"
    assert call(theirs, "-c", script) == "7\n"
    assert "radial" in call(theirs, "-m", "passband", "stages")


@pytest.mark.slow
def test_nor_by_torchrun(theirs):
    call(theirs, "-m", "passband", "run", job_file(theirs))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    call(theirs, *launcher, "-m", "passband", "train", train_file(theirs))
    assert json.loads((theirs / "trained" / "results.json").read_text())["steps"] == 7


@pytest.mark.slow
def test_nor_by_ray_workers(theirs):
    job = job_file(theirs)
    call(theirs, "-m", "passband", "run", job, "--output", "inline")
    call(theirs, "-m", "passband", "run", job, "--executor", "ray", "--workers", "2")
    assert stored_bytes(theirs / "data") == stored_bytes(theirs / "inline")


@pytest.mark.slow
def test_a_wheel_holds_all_and_nothing_beside_the_package(theirs, tmp_path):
    build = (
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        tmp_path,
        copied(tmp_path),
    )
    call(tmp_path, *build)
    (wheel,) = tmp_path.glob("passband-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"passband"}
    for package in ("kernels", "pipeline", "jobs"):
        suffixes = (".py", ".cu", ".cuh", ".j2", ".yaml")
        ours = {f"passband/{p.relative_to(ROOT)}" for p in (ROOT / package).rglob("*") if p.suffix in suffixes}
        assert ours <= set(names)
    given = {"PYTHONPATH": str(tmp_path / "site")}
    script = "import passband; print(passband.__path__[0])"
    assert call(theirs, "-c", script, **given).strip() == str(tmp_path / "site" / "passband")
    call(theirs, "-m", "passband", "run", job_file(theirs), **given)
    call(theirs, "-m", "passband", "verify", "data", **given)
    assert (theirs / "data" / "report.html").exists()


def copied(folder):
    """Return a copy of what a wheel is built from: a build writes into its folder."""
    source = folder / "source"
    source.mkdir()
    for name in ("passband", "kernels", "pipeline", "jobs"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    return source
